#include "sim/mutants.hpp"

#include <algorithm>

namespace lifeboat::sim {
namespace {

// Known failures of real systems that are planted here again, by their number in the list of cases:
//   restarts-as-primary            6 repmgr#766
//   guard-needs-its-agent          9 pg_auto_failover#311, 92 patroni#2969
//   loss-not-weighed               19 stolon#783, 28 patroni#1894
//   any-state-is-chosen            20 stolon#917
//   sync-sets-not-asked            21 cloudnative-pg#1688, 26 PAF#225
//   timeline-not-compared          22 cloudnative-pg#2513
//   promotes-before-stop           23 cloudnative-pg#11114
//   promotes-before-it-caught-up   23 cloudnative-pg#11293
//   stuck-replay-is-chosen         24 cloudnative-pg#11134
//   first-is-chosen                25 orchestrator#83
//   parted-standby-is-attached     29 repmgr#386
//   standbys-made-by-force         33 patroni#2221
//   paused-replay-is-chosen        34 repmgr#540
//   delayed-replay-is-chosen       35 patroni#2551
//   cut-off-step-is-repeated       54 patroni#1776
//   half-rewound-data-started      57 patroni#3652
//   full-disk-is-chosen            74 cloudnative-pg#4521
//   renews-from-memory             82 etcd#15247
//   deposed-controller-writes      83 patroni#316
constexpr Mutant kMutants[] = {
    {"guard-ignores-fence", "the guard does not end the server at its fence time"},
    {"guard-needs-its-agent", "the guard ends the server at its fence time only while the agent lives"},
    {"lease-without-margin", "the server may write to the very end of its lease"},
    {"grant-counts-from-receipt",
     "the lease of a grant counts from when the order came, not from the report that it answers"},
    {"renewal-counts-from-receipt", "a renewal counts from when its answer came, not from when it was asked for"},
    {"half-rewound-data-started",
     "after a restart the agent starts a standby on data that a cut-off rewind left behind"},
    {"restarts-as-primary", "after a crash the agent starts what was a primary, without asking anybody"},
    {"intent-not-kept", "a member takes writes under a term before that term is on its disk"},
    {"floor-not-kept", "the highest term that was seen is not kept on disk"},
    {"agent-leaves-fence-to-guard", "the agent does nothing at the end of its lease; the guard will"},
    {"fence-not-extended", "the guard is not told of renewals"},
    {"fence-extended-to-the-end", "a renewal moves the guard's fence to the end of the lease, without the margin"},
    {"second-order-answered-no", "an order that came twice is answered with a plain no while the first is carried out"},
    {"promotes-before-it-caught-up",
     "a switchover promotes the new primary before it has received what the old one wrote"},
    {"restarted-one-need-not-catch-up", "a standby that died during a switchover is promoted without having caught up"},
    {"shutdown-position-forgotten", "the position at which the old primary stopped is not passed on to the new one"},
    {"old-timeline-goes-on", "an old primary goes on in its own timeline though others were granted the right since"},
    {"timeline-number-reused", "a promotion takes the next number for its timeline, whoever took it before"},
    {"promotes-without-fence", "a standby is promoted before the guard has a fence time"},
    {"starts-without-fence", "a server is started to take writes and the guard has no fence time"},
    {"rewinds-data-to-be-kept", "a member rewinds data that it was told to keep"},
    {"term-back-before-stop", "a primary that steps down gives its term back before it has stopped"},
    {"excluded-is-chosen", "a member is promoted that the plan excludes"},
    {"stale-report-believed", "a candidate is judged by a report that is older than a second"},
    {"any-state-is-chosen", "a server is promoted whatever its state, also in the middle of a copy"},
    {"paused-replay-is-chosen", "a standby with paused replay is promoted"},
    {"stuck-replay-is-chosen", "a standby whose replay stands still is promoted"},
    {"delayed-replay-is-chosen", "a standby whose replay is held back on purpose is promoted"},
    {"timeline-not-compared", "candidates are compared by position alone, whatever their timelines"},
    {"least-advanced-is-chosen", "the candidate that has least is promoted"},
    {"first-is-chosen", "the first candidate of the plan is promoted, however far it lags"},
    {"unknown-loss-is-none", "a loss that nobody can measure counts as none"},
    {"loss-not-weighed", "how much would be lost is not looked at"},
    {"lost-link-ends-the-lease", "a primary whose link was lost is taken for dead"},
    {"report-proves-the-stop", "a report that says \"stopped\" is taken for the return of the term"},
    {"margin-counted-twice", "the controller ends a lease a margin earlier, which the server counts on already"},
    {"lease-ends-early-here", "the controller grants anew after half of the lease"},
    {"old-release-believed", "the return of an older term is taken for that of the present one"},
    {"order-without-the-new-term", "the new primary is ordered under the old term"},
    {"told-done-at-the-grant", "a transfer is told to be done as soon as the right is recorded"},
    {"failover-without-vacancy", "a failover that a person asked for does not wait for the old primary's end"},
    {"automatic-not-recorded", "the store is not told that a failover was automatic, so nobody counts it"},
    {"promotes-before-stop", "a switchover promotes the new primary without waiting for the old one's stop"},
    {"no-answer-is-a-no", "a promotion without an answer is taken for one that failed"},
    {"no-answer-is-a-stop", "a step-down without an answer is taken for one that worked"},
    {"holder-that-never-led-goes-on",
     "a standby that was granted the right and never led is taken for one that has everything"},
    {"automatic-though-none", "a failover is made by itself though the plan wants a person"},
    {"leaves-its-region", "an automatic failover goes to another region though the plan forbids it"},
    {"limit-not-kept", "automatic failovers go on beyond their limit"},
    {"limit-forgotten", "a new controller begins to count automatic failovers anew"},
    {"standbys-made-by-force", "a standby is made by giving its data up, whatever they hold"},
    {"new-controller-waits-for-nobody", "a controller that has just begun takes the old lease for over"},
    {"parted-standby-is-attached", "a standby whose history has parted counts as attached when it looks connected"},
    {"goes-on-without-having-led", "one that was granted the right twice, and never led, goes on with its old history"},
    {"promise-not-kept", "a member takes over although it promised the primary not to"},
    {"promise-forgotten", "a member that is started again forgets what it promised"},
    {"one-promise-is-enough", "a primary goes on without a controller when only some of the others promised"},
    {"promises-an-old-primary", "a member promises a primary whose term it knows to be over"},
    {"sync-sets-not-asked", "with synchronous commits, whoever has most of those that are there is promoted"},
    {"set-counts-at-once", "a new set of standbys counts alone before it is in force and has what there is"},
    {"full-disk-is-chosen", "a member whose own disk is full is promoted"},
    {"terms-reused-after-a-restore",
     "a store restored from an older copy grants again the terms granted since the copy"},
    {"restored-store-believed", "whom a store restored from an older copy names as holder is taken for who wrote last"},
    {"put-back-data-are-believed", "a member whose data were put back counts as having what it once had"},
    {"rewinds-to-another-history",
     "a standby gives up its data for a history that its upstream was not on when that was judged"},
    {"rewinds-what-nobody-looked-at",
     "a standby whose server does not run gives up its data by what a controller heard of it long ago"},
    {"takes-another-grant-for-its-own",
     "a movement that was asked for while a grant was in flight is told to be done when that one is"},
    {"clock-set-back-is-believed",
     "what a run still waits for is put off for as long as a controller's clock was set back"},
    {"one-need-is-enough", "a step of a run starts when one of those that it needs is settled"},
    {"one-approval-is-enough", "one person's approval is enough where the plan wants two"},
    {"pause-stops-nothing", "steps start while a run is paused"},
    {"restored-run-goes-on", "a run of a journal that was put back goes on without a person"},
    {"cut-off-step-is-repeated",
     "a step that a controller's death cut off is done again, without a look whether it is done"},
    {"no-answer-is-forgotten", "a step that had no answer is done again, without a look whether it is done"},
    {"no-answer-is-a-yes", "a step that had no answer is told to be done"},
    {"unseen-is-not-done", "whether a step is done cannot be seen, and it is done again"},
    {"acts-before-it-is-written", "steps of a run begin before their start is in the journal"},
    {"reprotect-stands-in-the-way", "while standbys are being made nobody follows a primary that is lost"},
    {"renews-from-memory",
     "a controller answers renewals and orders the lead without asking the store whether it still leads"},
    {"deposed-controller-writes",
     "the grant of a controller that was deposed arrives late and is recorded, whatever was recorded since"},
};

}  // namespace

std::span<const Mutant> mutants() { return kMutants; }

bool is_mutant(std::string_view name) { return std::ranges::find(kMutants, name, &Mutant::name) != std::end(kMutants); }

}  // namespace lifeboat::sim
