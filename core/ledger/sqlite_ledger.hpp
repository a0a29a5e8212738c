// The ledger on disk: one SQLite file in a state directory, one writer, any number of readers.
// It answers for durability, for the hash chain of each run and for what an undo needs later.
// Must not: decide anything about a run, or read a clock. Times come with the events.
// Next: schema.cpp (tables, triggers), chain.hpp (what is hashed), verify.cpp.
#pragma once

#include "ledger/ledger.hpp"
#include "ledger/writer_lock.hpp"
#include "model/outcome.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

class Database;

/// What is known when a run begins. Bytes are stored as they are.
struct RunStart {
    std::string run;  ///< run id, unique in the ledger
    std::string experiment;
    std::string plan_json;  ///< plan_to_json(plan, Hash::with)
    std::string plan_hash;
    std::string definition_bytes, catalog_bytes;
    std::string environment, environment_class;
    std::string reason;  ///< personal: only its digest enters the chain
    std::string tool_version, tool_sha256, host_name;
    std::map<std::string, std::string> who;  ///< personal: loginuid, uid, user, SUDO_USER, ...
    Instant at;
    std::string controller_boot;
    std::map<std::string, std::string> versions;  ///< of libraries and tools, by name
};

/// A run as `ls` and `show` see it.
struct RunRow {
    std::int64_t number{0};
    std::string run, experiment, environment, environment_class;
    Wall began{};
    std::optional<Wall> ended;
    std::string verdict;  ///< "" = open: still running, or its controller died
    int exit_code{0};
    std::string plan_hash;
    std::string reason;  ///< "" where erased
    std::string who;     ///< SUDO_USER, else user; "" where erased
    std::string outcome_json;
    std::string head;  ///< of the chain now
};

struct EventRow {
    std::int64_t seq{0};
    Event event;  ///< `personal` holds the texts that are still there
    std::string body, leaf;
};

/// Columns are always there; `lease` fails where its JSON cannot be read by this program.
struct LeaseRow {
    std::string id, step, host, kind, state;
    std::int64_t run{0};
    Wall until{};
    Result<Lease> lease;
};

/// The one writer. Not thread-safe. Every call may block for disk syncs and for up to 1 s behind
/// a reader. Events of its own have types that begin with "ledger.": opened, leases, gap, closed.
class SqliteLedger : public Ledger {
public:
    /// Makes directory (0700) and files (0600) where absent, migrates older files after a backup,
    /// and takes the lock until destroyed. Failure: busy (somebody writes; the message names pid
    /// and run), newer, refused (network file system, or writable by others), no_space, internal.
    [[nodiscard]] static Result<std::unique_ptr<SqliteLedger>> open_writer(
        const std::string& directory, const WriterId& writer);
    ~SqliteLedger() override;

    /// Begins a chain with the next number, gapless, and makes it the current run. Failure:
    /// no_space also when the ballast could not be laid out, invalid when the id is taken.
    [[nodiscard]] Result<std::int64_t> start_run(const RunStart& start);
    /// Makes a run of before the current one, so that an undo or `close` goes on with its chain.
    /// Its verdict, where there is one, stays. Failure: not_found.
    [[nodiscard]] Status continue_run(std::string_view run);

    /// To the current run (not_found without one). Refused as invalid: a lease of another run, a
    /// lease that goes back from released or closed, an intended lease that JSON cannot hold
    /// exactly, an event type outside of [a-z0-9._-]. After busy, no_space or internal nothing was
    /// written; the next commit that succeeds records "ledger.gap" with how many failed and since
    /// when. The one doubt: when the disk fails in the last sync, the batch may be there too.
    Status commit(std::span<const Event> events, std::span<const Lease> leases) override;

    /// The last event and the verdict of the current run, in one transaction. Failure: as commit;
    /// refused when the run has a verdict.
    [[nodiscard]] Status finish_run(Verdict verdict, const std::string& outcome_json, Instant at);

    /// Deletes the personal texts of a run from the file; its chain stays valid.
    [[nodiscard]] Status erase_personal(std::string_view run);

    [[nodiscard]] const std::string& head() const { return head_; }   ///< "" without current run
    [[nodiscard]] std::int64_t number() const { return number_; }     ///< 0 without current run
    [[nodiscard]] const std::string& run_id() const { return run_; }  ///< "" without current run
    [[nodiscard]] const std::string& id() const { return id_; }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] bool has_ballast() const { return ballast_; }
    /// The writer before this one ended without closing the ledger.
    [[nodiscard]] const std::optional<WriterId>& unclean_end_of() const { return unclean_; }

private:
    struct Gap {
        std::int64_t commits{0}, events{0};
        Instant since;
        std::string reason;
    };

    SqliteLedger(const std::string& directory, WriterId writer, WriterLock lock);
    Status open_database();
    Status begin();
    Status append(const Event& event);
    Status append_gap(Instant at);
    Status append_leases(std::span<const Lease> leases, Instant at);
    Status store_lease(const Lease& lease, const std::string& json);
    Status write(std::span<const Event> events, std::span<const Lease> leases);
    Status insert_run(const RunStart& start, std::int64_t number, const std::string& previous);
    Status read_head();
    void name_run(std::string_view run);
    Error give_up(Error error, std::size_t events, Instant at);
    [[nodiscard]] Instant instant_of(std::span<const Event> events) const;

    std::string directory_, path_, id_;
    WriterId writer_;
    WriterLock lock_;
    std::unique_ptr<Database> database_;  ///< empty after a failed reopening
    std::optional<WriterId> unclean_;
    bool ballast_{false};

    std::string run_;
    std::int64_t number_{0};
    std::int64_t seq_{0};
    std::string head_;
    Instant last_at_;
    std::optional<Gap> gap_;
};

/// What a check of one chain found.
struct Verified {
    std::int64_t events{0};
    std::string head;
};

/// Reads copies: each call opens the file, copies rows, closes it and only then returns, so a
/// reader that is stopped while it prints holds nothing. Waits up to 5 s behind the writer.
class LedgerReader {
public:
    /// Failure: not_found (no ledger there yet), newer, internal.
    [[nodiscard]] static Result<LedgerReader> open(const std::string& directory);

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] const std::string& id() const { return id_; }

    /// The newest `most` runs, oldest first.
    [[nodiscard]] Result<std::vector<RunRow>> runs(std::int64_t most = 1000) const;
    /// By id, number or unique prefix of an id. Failure: not_found, invalid (several fit).
    [[nodiscard]] Result<RunRow> run(std::string_view key) const;
    /// Events with seq > after, in order.
    [[nodiscard]] Result<std::vector<EventRow>> events(std::int64_t run,
                                                       std::int64_t after = 0) const;
    [[nodiscard]] Result<std::vector<LeaseRow>> leases(std::int64_t run) const;
    /// By id or unique beginning of an id, in whatever state. Failure: not_found, invalid.
    [[nodiscard]] Result<LeaseRow> lease(std::string_view key) const;
    /// Of all runs, oldest run first. Unreadable ones are in it: nothing open is hidden.
    [[nodiscard]] Result<std::vector<LeaseRow>> open_leases() const;
    [[nodiscard]] Result<std::string> plan(std::int64_t run) const;
    [[nodiscard]] Result<std::string> definition(std::int64_t run) const;
    [[nodiscard]] Result<std::string> catalog(std::int64_t run) const;

    /// Recomputes the chain of a run and everything that it vouches for: row, stored bytes,
    /// personal texts still there, leases, verdict, the link to the run before. Failure: invalid,
    /// the message says what does not fit.
    [[nodiscard]] Status verify(std::int64_t run) const;
    /// The same, and what was found: how many events, and the head that they lead to.
    [[nodiscard]] Result<Verified> audit(std::int64_t run) const;
    /// The highest run number, also of a run whose other rows are gone; 0 without a run.
    [[nodiscard]] Result<std::int64_t> last_number() const;
    /// Gapless numbers, and no rows that belong to nothing. Failure: invalid.
    [[nodiscard]] Status verify_links() const;
    /// verify_links and verify of every run.
    [[nodiscard]] Status verify_all() const;

private:
    explicit LedgerReader(std::string path) : path_(std::move(path)) {}
    [[nodiscard]] Status verify_numbers() const;
    std::string path_, id_;
};

}  // namespace drill
