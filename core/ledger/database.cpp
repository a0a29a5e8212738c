// See database.hpp.
#include "ledger/database.hpp"

#include <sqlite3.h>
#include <cerrno>
#include <cstring>

namespace drill {

namespace {

/// sqlite3_system_errno() is not set by a COMMIT that fails; the file handles remember theirs.
int system_errno(sqlite3* handle) {
    if (const int number = sqlite3_system_errno(handle); number != 0) { return number; }
    int number = 0;
    sqlite3_file_control(handle, "main", SQLITE_FCNTL_LAST_ERRNO, &number);
    sqlite3_file* journal = nullptr;
    if (number == 0 &&
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &journal) == SQLITE_OK &&
        journal != nullptr && journal->pMethods != nullptr) {
        journal->pMethods->xFileControl(journal, SQLITE_FCNTL_LAST_ERRNO, &number);
    }
    return number;
}

}  // namespace

std::int64_t Row::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Row::text(int column) const { return std::string(view(column)); }

std::string_view Row::view(int column) const {
    // column_blob gives the bytes as stored, with embedded NULs, for TEXT and BLOB alike.
    const void* bytes = sqlite3_column_blob(statement_, column);
    const int length = sqlite3_column_bytes(statement_, column);
    return bytes == nullptr ? std::string_view()
                            : std::string_view(static_cast<const char*>(bytes),
                                               static_cast<std::size_t>(length));
}

bool Row::null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

Result<std::unique_ptr<Database>> Database::open(const std::string& path, Access access,
                                                 std::chrono::milliseconds patience) {
    sqlite3* handle = nullptr;
    // Readers too open for writing: a journal that a dead writer left must be played back.
    // SQLite falls back to read-only where the file may not be written.
    const int rc = sqlite3_open_v2(
        path.c_str(), &handle,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
        nullptr);
    if (handle == nullptr) { return fail(Code::internal, "no memory for the ledger"); }
    std::unique_ptr<Database> database(new Database(handle, path, access));
    if (rc != SQLITE_OK) { return database->error(); }
    DRILL_CHECK(database->harden(patience));
    return database;
}

Status Database::harden(std::chrono::milliseconds patience) {
    sqlite3_busy_timeout(handle_, static_cast<int>(patience.count()));
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
    DRILL_CHECK(
        run("PRAGMA foreign_keys=ON; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY;"
            "PRAGMA synchronous=EXTRA; PRAGMA secure_delete=ON;"));
    if (access_ == Access::read) { return run("PRAGMA query_only=ON"); }
    DRILL_TRY(const std::string mode, text("PRAGMA journal_mode=TRUNCATE"));
    if (mode != "truncate") {
        return fail(Code::internal, "SQLite refuses the journal mode, it stays at " + mode);
    }
    return ok();
}

Database::~Database() {
    for (const auto& [sql, statement] : cache_) { sqlite3_finalize(statement); }
    sqlite3_close(handle_);
}

Error Database::error() {
    const int extended = sqlite3_extended_errcode(handle_);
    const bool file = (extended & 0xff) == SQLITE_IOERR || (extended & 0xff) == SQLITE_CANTOPEN;
    const int number = file ? system_errno(handle_) : 0;
    Code code = Code::internal;
    switch (extended & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED: code = Code::busy; break;
        case SQLITE_FULL: code = Code::no_space; break;
        default:
            if (file && (number == ENOSPC || number == EDQUOT || number == EFBIG)) {
                code = Code::no_space;
            }
            break;
    }
    suspect_ = suspect_ || (code != Code::busy && (extended & 0xff) != SQLITE_CONSTRAINT);
    std::string message = "ledger " + path_ + ": " + sqlite3_errmsg(handle_);
    if (file && number != 0) { message += std::string(" (") + std::strerror(number) + ")"; }
    return fail(code, std::move(message));
}

Status Database::run(const char* statements) {
    if (sqlite3_exec(handle_, statements, nullptr, nullptr, nullptr) != SQLITE_OK) {
        return error();
    }
    return ok();
}

Result<sqlite3_stmt*> Database::statement(const char* sql, std::initializer_list<Bound> values) {
    sqlite3_stmt*& statement = cache_[sql];
    if (statement == nullptr && sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                                   &statement, nullptr) != SQLITE_OK) {
        return error();
    }
    int index = 0;
    for (const Bound& value : values) {
        ++index;
        int rc = SQLITE_OK;
        if (const auto* integer = std::get_if<std::int64_t>(&value)) {
            rc = sqlite3_bind_int64(statement, index, *integer);
        } else if (const auto* text = std::get_if<std::string_view>(&value)) {
            rc = sqlite3_bind_text64(statement, index, text->data() == nullptr ? "" : text->data(),
                                     text->size(), SQLITE_STATIC, SQLITE_UTF8);
        } else if (const auto* blob = std::get_if<Blob>(&value)) {
            rc = blob->bytes.empty() ? sqlite3_bind_zeroblob(statement, index, 0)
                                     : sqlite3_bind_blob64(statement, index, blob->bytes.data(),
                                                           blob->bytes.size(), SQLITE_STATIC);
        }
        if (rc != SQLITE_OK) { return error(); }
    }
    return statement;
}

Status Database::each(const char* sql, std::initializer_list<Bound> values,
                      const std::function<Status(const Row&)>& row) {
    DRILL_TRY(sqlite3_stmt* const current, statement(sql, values));
    Status result = ok();
    for (;;) {
        const int rc = sqlite3_step(current);
        if (rc == SQLITE_DONE) { break; }
        if (rc != SQLITE_ROW) {
            result = error();
            break;
        }
        result = row(Row(current));
        if (!result) { break; }
    }
    sqlite3_reset(current);  // ends the read lock; its code repeats that of the step
    sqlite3_clear_bindings(current);
    return result;
}

Status Database::run(const char* sql, std::initializer_list<Bound> values) {
    return each(sql, values, [](const Row&) { return ok(); });
}

Result<std::int64_t> Database::integer(const char* sql, std::initializer_list<Bound> values) {
    std::int64_t out = 0;
    bool first = true;
    DRILL_CHECK(each(sql, values, [&](const Row& row) {
        if (std::exchange(first, false)) { out = row.integer(0); }
        return ok();
    }));
    return out;
}

Result<std::string> Database::text(const char* sql, std::initializer_list<Bound> values) {
    std::string out;
    bool first = true;
    DRILL_CHECK(each(sql, values, [&](const Row& row) {
        if (std::exchange(first, false)) { out = row.text(0); }
        return ok();
    }));
    if (first) { return fail(Code::not_found, "no such row in the ledger"); }
    return out;
}

std::int64_t Database::changes() const { return sqlite3_changes64(handle_); }

void Database::undo_transaction() noexcept {
    if (sqlite3_get_autocommit(handle_) == 0) {
        sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
    }
}

}  // namespace drill
