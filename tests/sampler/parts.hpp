// Real parts for the probes: PostgreSQL, BIND and OpenSSL's server, each with a directory and a
// port of its own on loopback, and a running sampler. All of it ends with its object.
// Must not: touch a cluster, zone or port of this machine. Next: server.hpp.
#pragma once

#include "sampler/server.hpp"
#include "transport/clock.hpp"
#include "transport/sampler.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace drill::test {

/// A directory below /tmp that goes with its object.
class Folder {
public:
    explicit Folder(const std::string& name);
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder();
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string at(const std::string& name) const { return path_ + '/' + name; }
    /// Mode 0600 unless told.
    std::string write(const std::string& name, const std::string& text, unsigned mode = 0600) const;

private:
    std::string path_;
};

[[nodiscard]] std::uint16_t free_port();
/// Runs it to its end; the test fails when it does.
void must(const std::vector<std::string>& argv);

/// Certificates of a small authority: {name}.crt and {name}.key. `days` from now, negative = past.
class Authority {
public:
    Authority();
    void issue(const std::string& name, const std::string& subject_alt_name, int days = 30) const;
    [[nodiscard]] std::string file(const std::string& name) const { return folder_.at(name); }

private:
    Folder folder_{"tls"};
};

/// A cluster with the roles `app` and `few` (password "opensesame", two connections at most for
/// `few`) and superuser `kim`, who is trusted on the socket. Listens on 127.0.0.1.
class Postgres {
public:
    Postgres();
    Postgres(const Postgres&) = delete;
    Postgres& operator=(const Postgres&) = delete;
    ~Postgres();
    void start();
    void kill();                   ///< SIGKILL to the postmaster
    void stand(bool still) const;  ///< SIGSTOP or SIGCONT
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] const Folder& folder() const noexcept { return folder_; }
    [[nodiscard]] const std::string& password_file() const noexcept { return password_file_; }
    /// role app, as a probe with this query
    [[nodiscard]] ProbeSpec probe(const std::string& query = "SELECT 1", Nanos every = {},
                                  Nanos timeout = {}) const;

private:
    Folder folder_{"pg"};
    std::uint16_t port_{0};
    std::string password_file_;
    std::unique_ptr<Child> server_;
};

/// BIND with the zone orders.lab: app A 192.0.2.7, many with 80 addresses, and others.
class Named {
public:
    Named();
    [[nodiscard]] ProbeSpec probe(const std::string& name, const std::string& type = "A") const;
    void kill() { server_.reset(); }

private:
    Folder folder_{"dns"};
    std::uint16_t port_{0};
    std::unique_ptr<Child> server_;
};

/// A running sampler; stopped before the mailbox goes.
struct Asking {
    SystemClock clock;
    Collector box;
    std::unique_ptr<Sampler> sampler;

    explicit Asking(const std::vector<ProbeSpec>& specs, CommandRunner runner = {});
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;
    ~Asking() { sampler->stop(); }
    /// The first sample in this state from now on; the test fails after 20 s without.
    Sample await(SampleState state, std::uint32_t probe = 0);
};

/// What the sampler says of one question.
[[nodiscard]] Sample ask_once(const ProbeSpec& spec);

}  // namespace drill::test
