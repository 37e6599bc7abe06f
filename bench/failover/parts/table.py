"""The results for people, and the rows of results.json from single runs."""

from . import figures
from .measure import FAULTS
from .systems import SYSTEMS


def rows(runs):
    """One row for each system, config, mode and fault: medians, and the worst of what must be 0."""
    groups = {}
    for run in runs:
        groups.setdefault((run["system"], run["config"], run["mode"], run["fault"]), []).append(run)
    found = []
    for (system, config, mode, fault), group in groups.items():
        outages = [run["outage_s"] for run in group]
        row = {"system": system, "config": config, "mode": mode, "fault": fault, "outage_s": round(figures.median(outages), 3),
               "lost": figures.median([run["lost"] for run in group]),
               "double_acknowledged_s": round(figures.median([run["double_acknowledged_s"] for run in group]), 3),
               # False: no failover in all the time it was waited for, so the outage is longer than outage_s says.
               "recovered": all(run["recovered"] for run in group), "runs": len(group),
               "outage_least_s": min(outages), "outage_most_s": max(outages), "lost_most": max(run["lost"] for run in group),
               "double_acknowledged_most_s": max(run["double_acknowledged_s"] for run in group)}
        found.append(row)
    return found


def seconds(value):
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def in_words(run):
    outage = ("outage " if run["recovered"] else "no failover, outage over ") + seconds(run["outage_s"]) + " s"
    words = [outage, f"{run['lost']} lost of {run['acknowledged']}", f"two acknowledged for {seconds(run['double_acknowledged_s'])} s"]
    if run["longest_pause_after_healing_s"] > 0.5:
        words.append(f"a pause of {seconds(run['longest_pause_after_healing_s'])} s after healing")
    return ", ".join(words)


def cell(row):
    if row is None:
        return "not measured"
    outage = ("" if row["recovered"] else "> ") + seconds(row["outage_s"])
    return f"{outage} · {row['lost']:g} · {seconds(row['double_acknowledged_s']) if row['double_acknowledged_s'] else '0'}"


def markdown(results):
    by_cell, order = {}, []
    place = {(system.name, config, mode): (number, at, system.modes.index(mode)) for number, system in enumerate(SYSTEMS)
             for at, config in enumerate(system.configs) for mode in system.modes}
    for row in sorted(results["rows"], key=lambda row: place[row["system"], row["config"], row["mode"]]):
        line = (row["system"], row["config"], row["mode"])
        by_cell[line + (row["fault"],)] = row
        if line not in order:
            order.append(line)
    faults = [fault for fault in FAULTS if any(row["fault"] == fault for row in results["rows"])]
    lines = ["Outage in seconds · acknowledged writes lost · seconds in which two nodes acknowledged"
             + (f"; medians of {results['repeat']}" if results["repeat"] > 1 else "; one run a cell: trust the order of magnitude") + ".",
             "", "| | " + " | ".join(FAULTS[fault] for fault in faults) + " |", "| --- |" + " --- |" * len(faults)]
    for line in order:
        name = f"{line[0]}, {line[1]} ({line[2]})"
        lines.append(f"| {name} | " + " | ".join(cell(by_cell.get(line + (fault,))) for fault in faults) + " |")
    lines += [f"| {name} | left out: {why} |" + " |" * (len(faults) - 1) for name, why in results["left_out"].items()]
    machine = results["machine"]
    lines += ["", f"{machine['processors']} processors, {machine['memory_gib']} GiB, Linux {machine['kernel']}; "
              + ", ".join(machine["versions"].values()) + f". {results['made']}. Repeat it: `bench/failover/run`."]
    lines += [f"Not measured: {one['system']} {one['config']} {one['mode']}, {one['fault']}: {one['why']}"
              for one in results["not_measured"]]
    return "\n".join(lines)
