"""The figures of the side-by-side benchmark, by small histories whose answers can be seen."""

import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from parts import figures, table  # noqa: E402
from parts.figures import Ack  # noqa: E402

MS = 1_000_000


def acks(node, *times_ms, writer="outside"):
    return [Ack(writer, node, number, time * MS - MS, time * MS) for number, time in enumerate(times_ms, start=1)]


class Reading(unittest.TestCase):
    def test_a_line_that_was_cut_off_is_no_acknowledgement(self):
        text = "say node1 5 acknowledges\nack node1 7 100 200\nack node1 8 300 4"
        self.assertEqual(figures.read_acks("outside", text), [Ack("outside", "node1", 7, 100, 200)])


class Outage(unittest.TestCase):
    def test_counts_from_the_last_answer_before_the_fault_to_the_next_of_any_node(self):
        seen = acks("node1", 10, 20, 30) + acks("node2", 530, 540)
        self.assertEqual(figures.longest_gap(seen, 35 * MS, 550 * MS), (0.5, True))

    def test_a_pause_before_the_fault_is_not_its(self):
        seen = acks("node1", 10, 900, 1000) + acks("node2", 1200)
        self.assertEqual(figures.longest_gap(seen, 1001 * MS, 1210 * MS), (0.2, True))

    def test_the_longest_of_several_counts(self):
        seen = acks("node1", 10, 110, 150) + acks("node2", 650, 700)
        self.assertEqual(figures.longest_gap(seen, 20 * MS, 710 * MS), (0.5, True))

    def test_one_that_never_ends_is_told_apart(self):
        self.assertEqual(figures.longest_gap(acks("node1", 10), 20 * MS, 2010 * MS), (2.0, False))


class DoubleAcknowledgement(unittest.TestCase):
    def test_nodes_that_take_turns_never_acknowledged_together(self):
        seen = acks("node1", 10, 20, 30) + acks("node2", 31, 40)
        self.assertEqual(figures.double_acknowledged(seen, 0), 0)

    def test_time_together_is_the_common_part(self):
        seen = acks("node1", *range(0, 1001, 100)) + acks("node2", *range(400, 2001, 100), writer="in-node2")
        self.assertAlmostEqual(figures.double_acknowledged(seen, -1), 0.6)

    def test_a_single_acknowledgement_amid_anothers_counts(self):
        seen = acks("node2", *range(0, 1001, 100)) + acks("node1", 450)
        self.assertAlmostEqual(figures.double_acknowledged(seen, -1), 0.001)

    def test_what_was_before_the_fault_does_not_count(self):
        seen = acks("node1", 0, 100, 200) + acks("node2", 0, 100, 200)
        self.assertEqual(figures.double_acknowledged(seen, 200 * MS), 0)


class Loss(unittest.TestCase):
    def test_rows_are_known_by_writer_and_number(self):
        seen = acks("node1", 10, 20) + acks("node1", 15, writer="in-node1")
        lost = figures.lost_rows(seen, {("outside", 1), ("outside", 2)})
        self.assertEqual([(ack.writer, ack.row) for ack in lost], [("in-node1", 1)])


class Rows(unittest.TestCase):
    def run_of(self, outage, lost, recovered=True):
        return {"system": "a", "config": "default", "mode": "async", "fault": "kill-node", "outage_s": outage, "lost": lost,
                "double_acknowledged_s": 0.0, "recovered": recovered}

    def test_are_medians_with_the_worst_beside_them(self):
        [row] = table.rows([self.run_of(3.0, 0), self.run_of(1.0, 0), self.run_of(2.0, 9)])
        self.assertEqual((row["outage_s"], row["outage_most_s"], row["lost"], row["lost_most"], row["runs"]), (2.0, 3.0, 0, 9, 3))

    def test_one_failover_that_did_not_happen_shows(self):
        [row] = table.rows([self.run_of(3.0, 0), self.run_of(90.0, 0, recovered=False), self.run_of(2.0, 0)])
        self.assertFalse(row["recovered"])
        self.assertTrue(table.cell(row).startswith("> "))


if __name__ == "__main__":
    unittest.main()
