// A private directory for one case, child processes that report through a pipe, and small makers
// of events, leases and runs. Must not: leave anything behind in the temporary directory.
#pragma once

#include "ledger/sqlite_ledger.hpp"

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

namespace drill::testing {

class Scratch {
public:
    Scratch() {
        std::string name = "/tmp/drl" + std::to_string(getpid()) + "-ledger-XXXXXX";
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() { std::filesystem::remove_all(path_); }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string state() const { return path_ + "/state"; }
    [[nodiscard]] std::string file() const { return path_ + "/state/ledger.db"; }

private:
    std::string path_;
};

inline std::string slurp(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void spill(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// A connection as another program would open it: none of our hardening.
class Raw {
public:
    explicit Raw(const std::string& path) {
        sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                        nullptr);
    }
    Raw(const Raw&) = delete;
    Raw& operator=(const Raw&) = delete;
    ~Raw() { sqlite3_close(handle_); }
    /// "" or the error.
    std::string run(const std::string& sql) {
        return sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK
                   ? ""
                   : sqlite3_errmsg(handle_);
    }
    std::string text(const std::string& sql) {
        sqlite3_stmt* statement = nullptr;
        std::string out;
        sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr);
        if (sqlite3_step(statement) == SQLITE_ROW) {
            const unsigned char* text = sqlite3_column_text(statement, 0);
            for (; text != nullptr && *text != 0; ++text) { out += static_cast<char>(*text); }
        }
        sqlite3_finalize(statement);
        return out;
    }
    [[nodiscard]] sqlite3* handle() const { return handle_; }

private:
    sqlite3* handle_{nullptr};
};

/// A forked child; `body` gets a descriptor to write to and never returns into the test program.
class Child {
public:
    explicit Child(const std::function<void(int)>& body) {
        int ends[2];
        REQUIRE(pipe(ends) == 0);
        pid_ = fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            close(ends[0]);
            body(ends[1]);
            _exit(0);
        }
        close(ends[1]);
        from_ = ends[0];
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        kill(SIGKILL);
        close(from_);
    }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] int from() const { return from_; }
    /// One byte; false at the end.
    [[nodiscard]] bool heard() const {
        char byte = 0;
        return read(from_, &byte, 1) == 1;
    }
    /// All that is left, until the child closes its end.
    [[nodiscard]] std::string rest() const {
        std::string out;
        char buffer[512];
        for (ssize_t got = 0; (got = read(from_, buffer, sizeof buffer)) > 0;) {
            out.append(buffer, static_cast<std::size_t>(got));
        }
        return out;
    }
    void kill(int signal) {
        if (pid_ <= 0) { return; }
        ::kill(pid_, signal);
        if (signal == SIGKILL) {
            waitpid(pid_, nullptr, 0);
            pid_ = 0;
        }
    }
    /// Blocks until it stops or ends; true when it was stopped.
    bool await() {
        int status = 0;
        REQUIRE(waitpid(pid_, &status, WUNTRACED) == pid_);
        if (!WIFSTOPPED(status)) { pid_ = 0; }
        return WIFSTOPPED(status);
    }

private:
    pid_t pid_{0};
    int from_{-1};
};

inline void say(int fd, std::string_view text) {
    if (write(fd, text.data(), text.size()) < 0) { _exit(9); }
}

inline Instant at(std::int64_t n) {
    return {Nanos{n * 1000}, Wall{std::chrono::milliseconds{1'700'000'000'000 + n}}};
}

inline Event event(std::int64_t n, std::string type = "test.step") {
    Event out;
    out.at = at(n);
    out.type = std::move(type);
    out.step = "cut-off";
    out.host = "app-1";
    out.message = "step " + std::to_string(n);
    out.data = {{"n", n}};
    return out;
}

inline Lease lease(const std::string& run, const std::string& id, LeaseState state) {
    Lease out;
    out.id = id;
    out.run = run;
    out.step = "cut-off";
    out.kind = "net-partition";
    out.connection.host = "app-1";
    out.change.undo = {Exec{{"nft", "delete", "table", "inet", id}, ""}};
    out.state = state;
    out.until = Nanos{15'000'000'000};
    out.until_wall = at(15'000).wall;
    return out;
}

inline RunStart run_start(const std::string& run) {
    RunStart start;
    start.run = run;
    start.experiment = "orders-backend-loss";
    start.plan_json = "{\"plan\":\"" + run + "\"}";
    start.plan_hash = "0123abcd";
    start.definition_bytes = "[experiment]\n";
    start.catalog_bytes = "[environment]\n";
    start.environment = "lab";
    start.environment_class = "lab";
    start.reason = "quarterly rehearsal";
    start.tool_version = "0.1.0";
    start.host_name = "control";
    start.who = {{"user", "root"}, {"SUDO_USER", "kim"}, {"uid", "0"}};
    start.at = at(1);
    start.controller_boot = "boot-1";
    start.versions = {{"sqlite", "3.40.1"}};
    return start;
}

inline std::unique_ptr<SqliteLedger> writer(const std::string& directory) {
    Result<std::unique_ptr<SqliteLedger>> ledger =
        SqliteLedger::open_writer(directory, this_writer("", "run"));
    REQUIRE_MESSAGE(ledger, (ledger ? "" : ledger.error().message));
    return *std::move(ledger);
}

inline LedgerReader reader(const std::string& directory) {
    Result<LedgerReader> out = LedgerReader::open(directory);
    REQUIRE_MESSAGE(out, (out ? "" : out.error().message));
    return *std::move(out);
}

inline std::string problem(const Status& status) { return status ? "" : status.error().message; }

template <class T>
Code code_of(const Result<T>& result) {
    REQUIRE_FALSE(result);
    return result.error().code;
}

inline Status commit(SqliteLedger& ledger, const std::vector<Event>& events,
                     const std::vector<Lease>& leases = {}) {
    return ledger.commit(events, leases);
}

inline std::vector<EventRow> events_of(const LedgerReader& reader, std::int64_t run) {
    Result<std::vector<EventRow>> events = reader.events(run);
    REQUIRE_MESSAGE(events, (events ? "" : events.error().message));
    return *std::move(events);
}

inline std::vector<std::string> types_of(const LedgerReader& reader, std::int64_t run) {
    std::vector<std::string> types;
    for (const EventRow& row : events_of(reader, run)) { types.push_back(row.event.type); }
    return types;
}

}  // namespace drill::testing
