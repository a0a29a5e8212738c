// drill halt: ends a run from elsewhere and sees to it that everything is undone. The controller is
// asked by a letter; one that does not answer is ended, and its leases are undone from the ledger.
// --all also keeps new runs out until `drill unblock`. Exit 0 = nothing is left open, 6 = not.
// Must not: signal a process before it is known to be the one that holds the ledger's lock.
#include "base/text.hpp"
#include "cli/control.hpp"
#include "cli/dead_runs.hpp"
#include "cli/verbs.hpp"
#include "ledger/inbox.hpp"
#include "report/text.hpp"

#include <syslog.h>
#include <csignal>
#include <thread>

namespace drill::cli {

namespace {

using std::chrono::milliseconds;
constexpr Nanos answer_within = std::chrono::seconds{2};
constexpr Nanos ask_again_after = std::chrono::seconds{30};  // of silence while it undoes
constexpr Nanos death_within = std::chrono::seconds{5};      // of a SIGKILL; it frees the lock
constexpr Nanos longest_undo = std::chrono::minutes{15};     // of a controller that goes on
constexpr milliseconds look_every{50};

struct Halting {
    const Globals& globals;
    const HaltOptions& options;
    std::string state;
    std::string by;
    SystemClock clock;
    bool asked{false};  ///< a letter was left, or a signal sent, for the run that was alive

    [[nodiscard]] bool holds(const WriterId& writer) const {
        const auto holder = lock_holder(state);
        return holder && *holder && **holder == writer;
    }
};

void wait_a_moment() { std::this_thread::sleep_for(look_every); }

/// Waits until it no longer holds the lock. False: it still does.
bool wait_for_end(Halting& halting, const WriterId& writer, Nanos within) {
    const Nanos until = halting.clock.now().boot + within;
    while (halting.holds(writer)) {
        if (halting.clock.now().boot >= until) { return false; }
        wait_a_moment();
    }
    return true;
}

enum class Heard : std::uint8_t { answered, silent, gone };

/// Leaves the letter and waits for its answer. Where it cannot be left (a full disk), a signal.
Heard ask_to_halt(Halting& halting, const WriterId& writer) {
    const Result<std::string> letter = drop_letter(halting.state, writer.run,
                                                   {.id = "",
                                                    .verb = "halt",
                                                    .by = halting.by,
                                                    .text = halting.options.reason,
                                                    .at = halting.clock.now().wall});
    if (!letter) {
        complain(letter.error());
        const Status sent = signal_writer(writer, SIGTERM);
        if (!sent) { return sent.error().code == Code::not_found ? Heard::gone : Heard::silent; }
        progress("it was asked by a signal instead; the reason is not recorded");
    }
    halting.asked = true;
    const Nanos until = halting.clock.now().boot + answer_within;
    while (halting.clock.now().boot < until) {
        if (!halting.holds(writer)) { return Heard::gone; }
        if (letter && !letter_waits(halting.state, writer.run, *letter)) { return Heard::answered; }
        wait_a_moment();
    }
    if (!letter && !is_stopped(writer)) { return Heard::answered; }
    return Heard::silent;
}

/// SIGKILL, and the lock is free. False: it was said why not.
bool end_controller(Halting& halting, const WriterId& writer) {
    const std::string pid = std::to_string(writer.pid);
    progress("no answer for " + show_duration(answer_within) + ": process " + pid +
             (is_stopped(writer) ? " is stopped" : " does not react") +
             "; it is ended, and its leases are undone here");
    const Status ended = signal_writer(writer, SIGKILL);
    if (!ended && ended.error().code != Code::not_found) {
        complain(ended.error());
        progress("What is open ends by itself in time: drill ls");
        return false;
    }
    if (wait_for_end(halting, writer, death_within)) { return true; }
    complain("process " + pid +
             " still holds the ledger: end it where it runs (it may be in another container), "
             "then: drill undo");
    return false;
}

/// A process that was seen stopped for as long as an answer may take.
class StandsStill {
public:
    [[nodiscard]] bool look(const WriterId& writer, Nanos now) {
        const bool stopped = is_stopped(writer);
        if (!stopped || !stopped_) { since_ = now; }
        stopped_ = stopped;
        return stopped && now >= since_ + answer_within;
    }

private:
    bool stopped_{false};
    Nanos since_{0};
};

enum class Followed : std::uint8_t { ended, silent, unknown };

/// Shows what the controller does until it is over, or stands still.
Followed follow(Halting& halting, const LedgerReader& reader, const WriterId& writer,
                std::int64_t number) {
    Follower follower(reader, number);
    (void)follower.skip();
    const Nanos until = halting.clock.now().boot + longest_undo;
    Nanos heard = halting.clock.now().boot;
    StandsStill still;
    while (halting.clock.now().boot < until) {
        const bool over = !halting.holds(writer);
        if (const auto events = follower.news(); events && !events->empty()) {
            heard = halting.clock.now().boot;
            for (const Event& event : *events) {
                if (!is_quiet(event)) { progress(event_line(event)); }
            }
        }
        if (over) { return Followed::ended; }
        const Nanos now = halting.clock.now().boot;
        if (still.look(writer, now)) { return Followed::silent; }
        if (now >= heard + ask_again_after) {
            if (ask_to_halt(halting, writer) == Heard::silent) { return Followed::silent; }
            heard = now;
        }
        wait_a_moment();
    }
    return Followed::unknown;
}

/// False: it still runs or holds the lock, and that was said.
bool halt_alive(Halting& halting, const LedgerReader* reader, const WriterId& writer,
                std::int64_t number) {
    const std::string name = number == 0 ? "the run" : "run " + std::to_string(number);
    progress(name + " is alive, pid " + std::to_string(writer.pid) + ": asking it to halt");
    switch (ask_to_halt(halting, writer)) {
        case Heard::gone: return true;
        case Heard::silent: return end_controller(halting, writer);
        case Heard::answered: break;
    }
    progress(name + " answered: it undoes everything now");
    if (reader == nullptr) { return wait_for_end(halting, writer, longest_undo); }
    switch (follow(halting, *reader, writer, number)) {
        case Followed::ended: return true;
        case Followed::silent: return end_controller(halting, writer);
        case Followed::unknown: break;
    }
    complain(name + " is still being undone after " + show_duration(longest_undo) +
             ". To see what is open: drill ls");
    return false;
}

/// `drill undo` or another `halt` is at work: it does what is asked for, unless it is stopped.
bool await_other(Halting& halting, const WriterId& writer) {
    progress("`drill " + writer.verb + "`, pid " + std::to_string(writer.pid) +
             ", is at work with this ledger: waiting for its end");
    const Nanos until = halting.clock.now().boot + longest_undo;
    StandsStill still;
    while (halting.holds(writer)) {
        const Nanos now = halting.clock.now().boot;
        if (still.look(writer, now)) { return end_controller(halting, writer); }
        if (now >= until) {
            complain("it is still at work. To see what is open: drill ls");
            return false;
        }
        wait_a_moment();
    }
    return true;
}

Result<std::unique_ptr<SqliteLedger>> take_ledger(Halting& halting, const std::string& run) {
    const Nanos until = halting.clock.now().boot + death_within;
    for (;;) {
        auto ledger = SqliteLedger::open_writer(halting.state, this_writer(run, "halt"));
        const bool busy = !ledger && ledger.error().code == Code::busy;
        if (!busy || halting.clock.now().boot >= until) { return ledger; }
        wait_a_moment();
    }
}

/// What the controller could not record any more.
void record_halt(Halting& halting, SqliteLedger& ledger, const std::string& run) {
    if (!ledger.continue_run(run)) { return; }
    Event event{};
    event.at = halting.clock.now();
    event.type = "run.halting";
    event.message = "halted from elsewhere, its controller is gone";
    event.personal = {{"by", halting.by}, {"reason", halting.options.reason}};
    if (const Status done = ledger.commit({&event, 1}, {}); !done) { complain(done.error()); }
}

/// The leases of runs without a controller. `run`: the one that was asked to halt, "" = none.
int undo_the_rest(Halting& halting, const LedgerReader& reader, Fleet& fleet, const Scope& scope,
                  const std::string& run) {
    if (find_dead(reader, scope).nothing()) { return exit_ok; }
    auto ledger = take_ledger(halting, run);
    if (!ledger) {
        complain(ledger.error());
        progress("What is open ends by itself in time. To prove it: drill undo");
        return exit_dirty;
    }
    DeadEnd end{};
    if (!run.empty()) {
        if (const auto row = reader.run(run); row && row->verdict.empty()) {
            record_halt(halting, **ledger, run);
            end = {.run = run,
                   .verdict = Verdict::halted,
                   .ended_by = "halt",
                   .reason = "halted from elsewhere; its controller did not answer or was gone"};
        }
    }
    return undo_dead(halting.globals, reader, **ledger, fleet, scope, end) ? exit_ok : exit_dirty;
}

/// The last words: what became of the run.
int conclude(const LedgerReader& reader, const RunRow& before, int exit) {
    const auto row = reader.run(before.run);
    const auto leases = reader.leases(before.number);
    if (!row || !leases) {
        complain(!row ? row.error() : leases.error());
        return exit_dirty;
    }
    std::size_t open = 0;
    std::size_t closed = 0;
    for (const LeaseRow& lease : *leases) {
        open += lease.state != "released" && lease.state != "closed" ? 1U : 0U;
        closed += lease.state == "closed" ? 1U : 0U;
    }
    const std::string name =
        "run " + std::to_string(row->number) + " (" + safe(row->experiment) + ")";
    print(name + (row->verdict.empty() ? " has no verdict" : " is " + row->verdict) + ". " +
          (open > 0 ? counted(open, "lease") + (open == 1 ? " is" : " are") +
                          " not proven undone:\n  drill undo\n"
           : closed > 0 ? counted(closed, "lease") + " closed by a person, the rest is undone.\n"
                        : "Nothing of it is open.\n") +
          "  drill show " + std::to_string(row->number) + "\n");
    return open > 0 ? exit_dirty : exit;
}

/// Writes the block; 0 or the exit code that says that it could not be.
int block(Halting& halting) {
    const Status done = block_runs(
        halting.state,
        {.by = halting.by, .reason = halting.options.reason, .at = halting.clock.now().wall});
    if (done) {
        openlog("drill", LOG_PID, LOG_USER);
        syslog(LOG_NOTICE, "new runs are blocked in %s", halting.state.c_str());
        print("new runs are blocked in " + halting.state + " until: drill unblock\n");
        return exit_ok;
    }
    complain(about("the block", done.error().text()));
    progress("NEW RUNS ARE NOT BLOCKED. Halting goes on.");
    return exit_internal;
}

/// The named run is not the one that is alive.
int halt_another(Halting& halting, const LedgerReader& reader, Fleet& fleet, const RunRow& row,
                 const std::optional<WriterId>& writer) {
    const DeadRuns dead = find_dead(reader, {.run = row.run, .target = "", .step = ""});
    if (writer && !writer->run.empty() && writer->run != row.run) {
        const auto alive = reader.run(writer->run);
        complain("run " + std::to_string(row.number) + " is not running" +
                 (row.verdict.empty() ? "" : ", it is " + row.verdict) + "; what runs is " +
                 (alive ? "run " + std::to_string(alive->number) + " (" + alive->experiment + ")"
                        : "run " + writer->run) +
                 ". Nothing was halted. To halt that one: drill halt " +
                 (alive ? std::to_string(alive->number) : writer->run));
        return dead.nothing() ? exit_usage : exit_dirty;
    }
    if (dead.nothing()) { return conclude(reader, row, exit_ok); }
    const int exit =
        undo_the_rest(halting, reader, fleet, {.run = row.run, .target = "", .step = ""}, "");
    return conclude(reader, row, exit);
}

int halt_what_runs(Halting& halting, const LedgerReader& reader, Fleet& fleet) {
    const bool all = halting.options.all;
    std::optional<WriterId> writer = live_writer(halting.state);
    std::optional<RunRow> row;
    if (!halting.options.run.empty()) {
        const Result<RunRow> named = reader.run(halting.options.run);
        if (!named) {
            complain(named.error());
            return exit_usage;
        }
        if (!writer || writer->run != named->run) {
            return halt_another(halting, reader, fleet, *named, writer);
        }
        row = *named;
    }
    if (writer && writer->verb == "run") {
        if (!row) {
            if (const auto found = reader.run(writer->run)) { row = *found; }
        }
        if (!halt_alive(halting, row ? &reader : nullptr, *writer, row ? row->number : 0)) {
            return exit_dirty;
        }
    } else if (writer && !await_other(halting, *writer)) {
        return exit_dirty;
    }
    if (!row && halting.asked) {
        if (const auto found = reader.run(writer->run)) { row = *found; }
    }
    const std::string run = row && halting.asked ? row->run : "";
    const Scope scope{.run = all ? "" : run, .target = "", .step = ""};
    const bool nothing = !row && find_dead(reader, scope).nothing();
    if (nothing) {
        print("nothing is running and nothing is open (ledger " + reader.path() + ")\n");
        return exit_ok;
    }
    const int exit = undo_the_rest(halting, reader, fleet, scope, run);
    return row ? conclude(reader, *row, exit) : exit;
}

}  // namespace

int halt(const Globals& globals, const HaltOptions& options) {
    Signals signals;
    Fleet fleet;
    signals.listen(fleet.mailbox, [] { return std::string("see above"); });
    Halting halting{.globals = globals,
                    .options = options,
                    .state = state_directory(globals),
                    .by = short_name(who_runs()),
                    .clock = {}};
    const int blocked = options.all ? block(halting) : exit_ok;
    Result<LedgerReader> reader = LedgerReader::open(halting.state);
    if (!reader && reader.error().code == Code::not_found) {
        print("there is no ledger in " + halting.state + ": nothing was ever run from here\n");
        return blocked;
    }
    if (!reader) {
        complain(reader.error());
        progress("It is not known what is open. On a host: touch /run/drill/stop");
        return exit_dirty;
    }
    const int exit = halt_what_runs(halting, *reader, fleet);
    return exit == exit_ok ? blocked : exit;
}

int unblock(const Globals& globals) {
    const std::string state = state_directory(globals);
    const Result<std::optional<Block>> block = block_of(state);
    const Result<bool> removed = unblock_runs(state);
    if (!removed) {
        complain(removed.error());
        return exit_internal;
    }
    if (!*removed) {
        print("runs are not blocked in " + state + "\n");
        return exit_ok;
    }
    openlog("drill", LOG_PID, LOG_USER);
    syslog(LOG_NOTICE, "new runs are no longer blocked in %s", state.c_str());
    print("runs may begin again in " + state +
          (block && *block
               ? "; they were blocked by " + safe((*block)->by) + " at " + rfc3339((*block)->at) +
                     ((*block)->reason.empty() ? "" : ": " + safe((*block)->reason))
               : "") +
          "\n");
    return exit_ok;
}

}  // namespace drill::cli
