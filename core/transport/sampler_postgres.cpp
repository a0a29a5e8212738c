// See sampler_postgres.hpp.
#include "transport/sampler_postgres.hpp"

#include "base/text.hpp"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace drill::sampling {

namespace {

constexpr int most_values = 1000;
/// libpq looks into the home directory where a file is not named; this one is nowhere.
constexpr const char* no_file = "/nonexistent/drill";
constexpr const char* system_authorities = "/etc/ssl/certs/ca-certificates.crt";
/// libpq asks PGPASSWORD for an empty one. No server takes this for the right one by chance.
constexpr const char* no_password = "none was given to drill";

struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};
using Connection = std::unique_ptr<PGconn, Finish>;

std::string numeric_text(const Address& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const void* bytes = nullptr;
    sockaddr_in four{};
    sockaddr_in6 six{};
    if (address.storage.ss_family == AF_INET) {
        std::memcpy(&four, &address.storage, sizeof four);
        bytes = &four.sin_addr;
    } else {
        std::memcpy(&six, &address.storage, sizeof six);
        bytes = &six.sin6_addr;
    }
    const char* done = ::inet_ntop(address.storage.ss_family, bytes, text.data(),
                                   static_cast<socklen_t>(text.size()));
    return done == nullptr ? std::string() : std::string(text.data());
}

/// The last line of what libpq says, without its "ERROR:" and the address that we know.
std::string first_words(const char* said) {
    std::string text(trim(said == nullptr ? "" : said));
    // "connection to server at "10.0.0.1", port 5432 failed: FATAL:  too many clients"
    if (const std::size_t failed = text.find(" failed: ");
        failed != std::string::npos && text.starts_with("connection to")) {
        text.erase(0, failed + 9);
    }
    if (const std::size_t line = text.find('\n'); line != std::string::npos) { text.resize(line); }
    for (const std::string_view level : {"FATAL:", "ERROR:", "PANIC:"}) {
        if (text.starts_with(level)) { text = std::string(trim(text.substr(level.size()))); }
    }
    return text.empty() ? "the connection was lost" : text;
}

class Parameters {
public:
    Parameters(const PostgresQuestion& question, const Secret& password,
               const std::vector<Address>& addresses) {
        std::string hosts;
        std::string numbers;
        for (const Address& address : addresses) {
            hosts += (hosts.empty() ? "" : ",") + question.host;
            numbers += (numbers.empty() ? "" : ",") + numeric_text(address);
        }
        add("host", addresses.empty() ? question.host : hosts);
        if (!addresses.empty()) { add("hostaddr", numbers); }
        add("port", std::to_string(question.port));
        add("user", question.user);
        add("dbname", question.database);
        secret_ =
            password.empty() ? Secret(std::string_view(no_password)) : Secret(password.reveal());
        add("passfile", no_file);
        add("application_name", "drill");
        add("client_encoding", "UTF8");
        add("connect_timeout", "0");  // the sampler has the time-out
        add("gssencmode", "disable");
        add("channel_binding", "prefer");
        add("sslmode", question.tls);
        add("sslrootcert", question.ca.empty()
                               ? (question.tls.starts_with("verify") ? system_authorities : no_file)
                               : question.ca);
        add("sslcert", question.certificate.empty() ? no_file : question.certificate);
        add("sslkey", question.key.empty() ? no_file : question.key);
        add("sslcrl", no_file);
        add("ssl_min_protocol_version", "TLSv1.2");
        add("target_session_attrs", question.mode);
    }

    Connection start() const {
        std::vector<const char*> names;
        std::vector<const char*> values;
        for (const auto& [name, value] : pairs_) {
            names.push_back(name);
            values.push_back(value.c_str());
        }
        const std::string password(secret_.reveal());
        names.push_back("password");
        values.push_back(password.c_str());
        names.push_back(nullptr);
        values.push_back(nullptr);
        Connection connection(PQconnectStartParams(names.data(), values.data(), 0));
        // libpq keeps its own copy until the connection is closed; ours need not stay.
        ::explicit_bzero(const_cast<char*>(password.data()), password.size());
        return connection;
    }

private:
    void add(const char* name, std::string value) { pairs_.emplace_back(name, std::move(value)); }
    std::vector<std::pair<const char*, std::string>> pairs_;
    Secret secret_;
};

void say_nothing(void* /*user*/, const PGresult* /*notice*/) {}

Answer problem(std::string why) {
    Answer answer;
    answer.asked = true;
    answer.problem = std::move(why);
    return answer;
}

}  // namespace

/// The idle connections of one probe.
struct PostgresAsker::Kept {
    std::vector<Connection> idle;
};

namespace {

class PostgresTalk : public Talk {
public:
    PostgresTalk(const PostgresQuestion& question, Parameters parameters, bool has_password,
                 std::shared_ptr<PostgresAsker::Kept> kept)
        : question_(question),
          parameters_(std::move(parameters)),
          has_password_(has_password),
          kept_(std::move(kept)) {
        if (kept_ && !kept_->idle.empty()) {
            connection_ = std::move(kept_->idle.back());
            kept_->idle.pop_back();
            used_before_ = true;
        }
    }

    std::optional<Answer> advance(Want& want) override {
        if (!connection_) {
            connection_ = parameters_->start();
            if (!connection_) { return failed_with(ENOMEM); }
            PQsetNoticeReceiver(connection_.get(), &say_nothing, nullptr);
            if (PQstatus(connection_.get()) == CONNECTION_BAD) { return no_connection(); }
            phase_ = Phase::connecting;
            polling_ = PGRES_POLLING_WRITING;  // libpq: as if it had said so
            return wait_to_connect(want);
        }
        if (phase_ == Phase::connecting) {
            polling_ = PQconnectPoll(connection_.get());
            if (polling_ == PGRES_POLLING_FAILED) { return no_connection(); }
            if (polling_ != PGRES_POLLING_OK) { return wait_to_connect(want); }
            phase_ = Phase::connected;
        }
        if (phase_ == Phase::connected) {
            if (PQsetnonblocking(connection_.get(), 1) != 0 ||
                PQsendQueryParams(connection_.get(), question_.query.c_str(), 0, nullptr, nullptr,
                                  nullptr, nullptr, 0) != 1) {
                return lost();
            }
            phase_ = Phase::asking;
        }
        return receive(want);
    }

private:
    enum class Phase : std::uint8_t { connecting, connected, asking };

    std::optional<Answer> wait_to_connect(Want& want) {
        const int fd = PQsocket(connection_.get());
        if (fd < 0) { return no_connection(); }
        const bool reads = polling_ == PGRES_POLLING_READING;
        want = {fd, reads ? std::uint32_t{EPOLLIN} : std::uint32_t{EPOLLOUT}, true};
        return std::nullopt;
    }

    std::optional<Answer> receive(Want& want) {
        PGconn* connection = connection_.get();
        const int left = PQflush(connection);
        if (left < 0 || PQconsumeInput(connection) != 1) { return lost(); }
        while (PQisBusy(connection) == 0) {
            const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQgetResult(connection),
                                                                       &PQclear);
            if (!result) {
                if (kept_ && PQstatus(connection) == CONNECTION_OK &&
                    PQtransactionStatus(connection) == PQTRANS_IDLE) {
                    kept_->idle.push_back(std::move(connection_));
                }
                return std::move(answer_);
            }
            if (!take(*result)) { return std::move(answer_); }
        }
        want = {PQsocket(connection),
                std::uint32_t{EPOLLIN} | (left == 1 ? std::uint32_t{EPOLLOUT} : 0U), true};
        return std::nullopt;
    }

    /// False when nothing further is worth waiting for.
    bool take(const PGresult& result) {
        switch (PQresultStatus(&result)) {
            case PGRES_TUPLES_OK: {
                answer_.asked = true;
                answer_.status = PQntuples(&result);
                const int rows = PQnfields(&result) > 0 ? std::min(answer_.status, most_values) : 0;
                std::size_t size = 0;
                for (int row = 0; row < rows && size < body_limit; ++row) {
                    answer_.values.emplace_back(PQgetvalue(&result, row, 0));
                    size += answer_.values.back().size();
                }
                if (!answer_.values.empty()) { answer_.body = answer_.values.front(); }
                return true;
            }
            case PGRES_COMMAND_OK: answer_.asked = true; return true;
            case PGRES_COPY_IN:
            case PGRES_COPY_OUT:
            case PGRES_COPY_BOTH:
                answer_ = problem("the query is a COPY, which is no question");
                return false;
            default: break;
        }
        const char* state = PQresultErrorField(&result, PG_DIAG_SQLSTATE);
        answer_ = problem(first_words(PQresultErrorMessage(&result)) +
                          (state == nullptr ? "" : " (" + std::string(state) + ")"));
        return true;
    }

    Answer no_connection() {
        PGconn* connection = connection_.get();
        if (!has_password_ && PQconnectionUsedPassword(connection) != 0) {
            return problem("the server asks for a password, and none is given");
        }
        const std::string said = PQerrorMessage(connection);
        // libpq does not tell numbers; these are the troubles of this machine.
        for (const int own : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, EPERM}) {
            if (said.find(std::generic_category().message(own)) != std::string::npos) {
                return failed_with(own);
            }
        }
        return problem(first_words(said.c_str()));
    }

    Answer lost() {
        return problem((used_before_ ? "kept connection: " : "") +
                       first_words(PQerrorMessage(connection_.get())));
    }

    const PostgresQuestion& question_;
    std::optional<Parameters> parameters_;
    bool has_password_;
    std::shared_ptr<PostgresAsker::Kept> kept_;
    Connection connection_;
    Phase phase_{Phase::connected};
    PostgresPollingStatusType polling_{PGRES_POLLING_WRITING};
    bool used_before_{false};
    Answer answer_;
};

}  // namespace

PostgresAsker::PostgresAsker() = default;
PostgresAsker::~PostgresAsker() = default;

bool PostgresAsker::idle(std::size_t probe) const {
    const auto found = kept_.find(probe);
    return found != kept_.end() && !found->second->idle.empty();
}

std::unique_ptr<Talk> PostgresAsker::talk(const PostgresQuestion& question, std::size_t probe,
                                          const Secret& password,
                                          const std::vector<Address>& addresses) {
    std::shared_ptr<Kept> kept;
    if (question.kept) {
        std::shared_ptr<Kept>& place = kept_[probe];
        if (!place) { place = std::make_shared<Kept>(); }
        kept = place;
    }
    return std::make_unique<PostgresTalk>(question, Parameters(question, password, addresses),
                                          !password.empty(), std::move(kept));
}

void forget_postgres_environment() {
    std::vector<std::string> names;
    for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
        const std::string_view line(*each);
        if (line.starts_with("PG")) { names.emplace_back(line.substr(0, line.find('='))); }
    }
    for (const std::string& name : names) { ::unsetenv(name.c_str()); }
}

}  // namespace drill::sampling
