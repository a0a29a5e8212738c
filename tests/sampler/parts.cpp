// See parts.hpp.
#include "sampler/parts.hpp"

#include "probes/kinds.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace drill::test {

using namespace std::chrono_literals;

namespace {

constexpr const char* server_programs = "/usr/lib/postgresql/15/bin/";

/// The server refuses to run as root.
std::vector<std::string> as_postgres(std::vector<std::string> argv) {
    if (::geteuid() != 0) { return argv; }
    argv.insert(argv.begin(),
                {"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"});
    return argv;
}

}  // namespace

Folder::Folder(const std::string& name)
    : path_("/tmp/drl" + std::to_string(::getpid()) + '-' + name + "-XXXXXX") {
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
}

Folder::~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string Folder::write(const std::string& name, const std::string& text, unsigned mode) const {
    std::ofstream(at(name)) << text;
    REQUIRE(::chmod(at(name).c_str(), mode) == 0);
    return at(name);
}

std::uint16_t free_port() {
    std::uint16_t port = 0;
    const Fd socket = listen_on(0, port);
    return port;
}

void must(const std::vector<std::string>& argv) {
    CAPTURE(argv.front());
    REQUIRE(Child::run(argv).wait() == 0);
}

Authority::Authority() {
    must({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
          "-nodes", "-days", "3650", "-subj", "/CN=drill test authority", "-keyout", file("ca.key"),
          "-out", file("ca.crt")});
}

void Authority::issue(const std::string& name, const std::string& subject_alt_name,
                      int days) const {
    const std::string extensions =
        folder_.write(name + ".ext", "subjectAltName=" + subject_alt_name + "\n");
    must({"openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
          "-subj", "/CN=" + name, "-keyout", file(name + ".key"), "-out", file(name + ".csr")});
    std::vector<std::string> sign{"openssl",
                                  "x509",
                                  "-req",
                                  "-in",
                                  file(name + ".csr"),
                                  "-CA",
                                  file("ca.crt"),
                                  "-CAkey",
                                  file("ca.key"),
                                  "-CAcreateserial",
                                  "-extfile",
                                  extensions,
                                  "-days",
                                  std::to_string(days < 0 ? 1 : days),
                                  "-out",
                                  file(name + ".crt")};
    // One day, issued so long ago that it is over.
    if (days < 0) {
        sign.insert(sign.begin(), {"faketime", std::to_string(1 - days) + " days ago"});
    }
    must(sign);
}

Postgres::Postgres() : port_(free_port()) {
    if (::geteuid() == 0) { must({"chown", "postgres:postgres", folder_.path()}); }
    folder_.write("superuser", "unused-on-loopback\n", 0644);
    must(as_postgres({std::string(server_programs) + "initdb", "-D", folder_.at("data"), "-U",
                      "kim", "--auth-local=trust", "--auth-host=scram-sha-256", "-N",
                      "--pwfile=" + folder_.at("superuser")}));
    password_file_ = folder_.write("password", "opensesame\n");
    start();
    must({"psql", "-X", "-h", folder_.path(), "-p", std::to_string(port_), "-U", "kim", "-d",
          "postgres", "-c", "CREATE ROLE app LOGIN PASSWORD 'opensesame'", "-c",
          "CREATE ROLE few LOGIN PASSWORD 'opensesame' CONNECTION LIMIT 2"});
}

Postgres::~Postgres() {
    if (server_) { stand(false); }
    kill();
}

void Postgres::start() {
    server_ = std::make_unique<Child>(Child::run(as_postgres(
        {std::string(server_programs) + "postgres", "-D", folder_.at("data"), "-p",
         std::to_string(port_), "-c", "listen_addresses=127.0.0.1", "-c",
         "unix_socket_directories=" + folder_.path(), "-c", "fsync=off", "-c", "shared_buffers=8MB",
         "-c", "max_connections=40", "-c", "dynamic_shared_memory_type=mmap"})));
    Asking asking({[this] {
        ProbeSpec spec = probe("SELECT 1", 50ms, 2s);
        spec.params.erase("password.file");
        spec.params.insert_or_assign("host", folder_.path());
        spec.params.insert_or_assign("user", std::string("kim"));
        return spec;
    }()});
    asking.await(SampleState::ok);
}

void Postgres::kill() { server_.reset(); }

void Postgres::stand(bool still) const { ::kill(server_->pid(), still ? SIGSTOP : SIGCONT); }

ProbeSpec Postgres::probe(const std::string& query, Nanos every, Nanos timeout) const {
    ProbeSpec spec;
    spec.name = "database";
    spec.kind = "postgres";
    spec.every = every > Nanos{0} ? every : 100ms;
    spec.timeout = timeout > Nanos{0} ? timeout : 5s;
    spec.params = {{"host", std::string("127.0.0.1")}, {"port", std::int64_t{port_}},
                   {"user", std::string("app")},       {"database", std::string("postgres")},
                   {"password.file", password_file_},  {"query", query}};
    return spec;
}

Named::Named() : port_(free_port()) {
    std::string zone =
        "$TTL 60\n@ SOA ns hostmaster 7 60 60 60 60\n@ NS ns\nns A 127.0.0.1\n"
        "app A 192.0.2.7\nApp AAAA 2001:db8::7\nwww CNAME app\n@ MX 10 mail\n"
        "note TXT \"v=1 \" \"Two parts\"\n_sql._tcp SRV 1 2 5432 app\n";
    for (int i = 1; i <= 80; ++i) { zone += "many A 198.51.100." + std::to_string(i) + '\n'; }
    folder_.write("zone", zone, 0644);
    const std::string config = folder_.write(
        "named.conf",
        "options { directory \"" + folder_.path() + "\"; listen-on port " + std::to_string(port_) +
            " { 127.0.0.1; }; listen-on-v6 { none; }; pid-file \"" + folder_.at("pid") +
            "\"; session-keyfile \"" + folder_.at("session.key") +
            "\"; recursion no; dnssec-validation no; notify no; };\n"
            "controls { };\nzone \"orders.lab\" { type primary; file \"" +
            folder_.at("zone") + "\"; };\n",
        0644);
    server_ = std::make_unique<Child>(
        Child::run({"named", "-f", "-n", "1", "-c", config, "-p", std::to_string(port_)}));
    Asking asking({probe("app.orders.lab")});
    asking.await(SampleState::ok);
}

ProbeSpec Named::probe(const std::string& name, const std::string& type) const {
    ProbeSpec spec;
    spec.name = "name";
    spec.kind = "dns";
    spec.every = 50ms;
    spec.timeout = 2s;
    spec.params = {{"server", std::string("127.0.0.1")},
                   {"port", std::int64_t{port_}},
                   {"domain", name},
                   {"type", type}};
    return spec;
}

Asking::Asking(const std::vector<ProbeSpec>& specs, CommandRunner runner) {
    auto planned = plan_probes(specs, probe_kinds());
    REQUIRE_MESSAGE(planned, (planned ? "" : planned.error().text()));
    sampler = make_sampler(*std::move(planned), clock, std::move(runner));
    sampler->start(box);
}

Sample Asking::await(SampleState state, std::uint32_t probe) {
    const Nanos from = boot_now();
    Sample found;
    std::string last;
    const bool came = box.wait([&](const auto& all) {
        const auto series = all.find(probe);
        if (series == all.end()) { return false; }
        for (const Sample& sample : series->second) {
            if (sample.sent >= from && sample.state == state) {
                found = sample;
                return true;
            }
            last = sample.detail;
        }
        return false;
    });
    REQUIRE_MESSAGE(came, last);
    return found;
}

Sample ask_once(const ProbeSpec& spec) {
    Asking asking({spec});
    const auto sample = asking.box.sample();
    REQUIRE(sample.has_value());
    return *sample;
}

}  // namespace drill::test
