// PostgreSQL questions in the poll loop: libpq's non-blocking interface, every parameter given.
// Must not: read the environment, service files or ~/.pgpass, resolve names, block, or judge.
// Next: sampler_talk.hpp.
#pragma once

#include "transport/redact.hpp"
#include "transport/sampler_talk.hpp"
#include "transport/sampler_tcp.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <vector>

namespace drill::sampling {

/// Used by one thread, and outlives its talks.
class PostgresAsker {
public:
    PostgresAsker();
    PostgresAsker(const PostgresAsker&) = delete;
    PostgresAsker& operator=(const PostgresAsker&) = delete;
    ~PostgresAsker();
    /// A kept connection of this probe that is idle: `addresses` are not needed then.
    [[nodiscard]] bool idle(std::size_t probe) const;
    /// Connects, asks, and closes again unless the question says that it is kept. The answer has:
    /// status = number of rows, values = first column (NULL as ""), body = the first value.
    /// Errors of the server are problems, with its words and its SQLSTATE.
    [[nodiscard]] std::unique_ptr<Talk> talk(const PostgresQuestion& question, std::size_t probe,
                                             const Secret& password,
                                             const std::vector<Address>& addresses);

    struct Kept;  ///< hides libpq; known to sampler_postgres.cpp only

private:
    std::map<std::size_t, std::shared_ptr<Kept>> kept_;
};

/// libpq also reads what no parameter can override (PGSERVICE, PGTZ, PGOPTIONS ..), so all of PG*
/// leaves the environment. To be called before threads of the caller ask libpq.
void forget_postgres_environment();

}  // namespace drill::sampling
