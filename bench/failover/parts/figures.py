"""From what the writers wrote down to the figures of a run. Pure: text and numbers in, numbers out.

  outage               the longest time between two rows that the outer writer got acknowledged, by whichever node, that reaches past
                       the fault
  lost                 acknowledged rows, of all writers, that the final primary does not have
  double_acknowledged  time in which two nodes acknowledged, whoever saw it: a node acknowledges from one acknowledgement to the
                       next when they lie at most 200 ms apart, and each two such stretches that touch count for 1 ms at least
"""

from collections import namedtuple

Ack = namedtuple("Ack", "writer node row sent done")

TOGETHER_NS = 200_000_000
LEAST_NS = 1_000_000


def read_acks(writer, text):
    acks = []
    for line in text.splitlines(keepends=True):
        words = line.split()
        if line.endswith("\n") and words[:1] == ["ack"] and len(words) == 5:
            acks.append(Ack(writer, words[1], int(words[2]), int(words[3]), int(words[4])))
    return acks


def longest_gap(acks, since, until):
    """(seconds, whether an acknowledgement ended it) of the longest time without one that touches since..until."""
    times = sorted(ack.done for ack in acks if ack.done <= until)
    before = [time for time in times if time <= since]
    last = before[-1] if before else since
    longest, ended = 0, True
    for time in [time for time in times if time > since]:
        if time - last > longest:
            longest, ended = time - last, True
        last = time
    if until - last > longest:
        longest, ended = until - last, False
    return longest / 1e9, ended


def stretches(times):
    found = []
    for time in sorted(times):
        if found and time - found[-1][1] <= TOGETHER_NS:
            found[-1][1] = time
        else:
            found.append([time, time])
    return found


def double_acknowledged(acks, since):
    """Seconds after `since`."""
    nodes = sorted({ack.node for ack in acks})
    by_node = [stretches(ack.done for ack in acks if ack.node == node and ack.done > since) for node in nodes]
    total = 0
    for index, one in enumerate(by_node):
        for other in by_node[index + 1:]:
            for a in one:
                for b in other:
                    start, end = max(a[0], b[0]), min(a[1], b[1])
                    if start <= end:
                        total += max(end - start, LEAST_NS)
    return total / 1e9


def lost_rows(acks, present):
    """`present`: set of (writer, row)."""
    return [ack for ack in acks if (ack.writer, ack.row) not in present]


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
