// A thin, safe hold on one SQLite connection: hardened at opening, parameters always bound,
// errors as codes. Must not: know the tables. Next: schema.hpp.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

struct sqlite3;
struct sqlite3_stmt;

namespace drill {

struct Blob {
    std::string_view bytes;
};
/// Borrowed for the length of the call.
using Bound = std::variant<std::int64_t, std::string_view, Blob>;

/// The current row of a statement; columns count from 0.
class Row {
public:
    explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] std::string text(int column) const;  ///< also bytes of a BLOB
    /// The same without a copy; good until the next row or the end of the reading.
    [[nodiscard]] std::string_view view(int column) const;
    [[nodiscard]] bool null(int column) const;

private:
    sqlite3_stmt* statement_;
};

enum class Access : std::uint8_t { write, read };

class Database {
public:
    /// The file must exist. `patience` is the busy time-out.
    [[nodiscard]] static Result<std::unique_ptr<Database>> open(const std::string& path,
                                                                Access access,
                                                                std::chrono::milliseconds patience);
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    ~Database();

    /// Several statements without parameters.
    Status run(const char* statements);
    /// One statement; rows are ignored. `sql` must be a literal: it is the key of the cache.
    Status run(const char* sql, std::initializer_list<Bound> values);
    /// Calls `row` for each; its error ends the reading. No lock is left behind.
    Status each(const char* sql, std::initializer_list<Bound> values,
                const std::function<Status(const Row&)>& row);
    /// The first column of the first row; 0 when there is none.
    [[nodiscard]] Result<std::int64_t> integer(const char* sql,
                                               std::initializer_list<Bound> values = {});
    /// The same as text; not_found when there is no row.
    [[nodiscard]] Result<std::string> text(const char* sql,
                                           std::initializer_list<Bound> values = {});
    [[nodiscard]] std::int64_t changes() const;
    /// Ends a transaction that failed; harmless without one.
    void undo_transaction() noexcept;
    /// An error of the disk or the file was seen: only a fresh connection may be trusted.
    [[nodiscard]] bool is_suspect() const { return suspect_; }
    /// For the backup interface.
    [[nodiscard]] sqlite3* handle() const { return handle_; }
    [[nodiscard]] Error error();

private:
    Database(sqlite3* handle, std::string path, Access access)
        : handle_(handle), path_(std::move(path)), access_(access) {}
    Status harden(std::chrono::milliseconds patience);
    Result<sqlite3_stmt*> statement(const char* sql, std::initializer_list<Bound> values);

    sqlite3* handle_;
    std::string path_;
    Access access_;
    bool suspect_{false};
    std::map<const char*, sqlite3_stmt*> cache_;
};

}  // namespace drill
