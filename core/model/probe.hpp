// Probes ask the same question again and again; a sample is one answer.
#pragma once

#include "base/instant.hpp"
#include "base/result.hpp"
#include "model/action.hpp"
#include "model/host.hpp"
#include "model/param.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace drill {

enum class SampleState : std::uint8_t {
    ok,        ///< right and in time
    degraded,  ///< right, but later than `ok.within`
    failed,    ///< wrong, refused, or no answer within the time-out
    unknown,   ///< the probe itself could not ask (no descriptor, own overload, lost vantage)
};

struct Sample {
    std::uint32_t probe{0};   ///< index in Plan::probes
    std::uint64_t number{0};  ///< gapless per probe, from 0
    Nanos intended{0};        ///< absolute schedule; latency counts from here
    Nanos sent{0};            ///< when the question really left (boot time)
    Nanos received{0};        ///< when the answer was complete, or sent + time-out
    SampleState state{SampleState::unknown};
    std::string detail;  ///< "HTTP 503", "connection refused"; "" when ok
};

/// What to ask, made by a probe kind.
struct HttpQuestion {
    std::string method{"GET"};
    std::string url;
    std::map<std::string, std::string> headers;
    std::string body;
};
/// One request of a transaction; "${name}" stands for what an earlier step took.
struct HttpStep {
    std::string name;
    HttpQuestion ask;
    int status{200};                          ///< 0 = any from 200 to 399
    std::string contains;                     ///< in the body; "" = anything
    std::map<std::string, std::string> take;  ///< name: "json:/a/b", "header:X", "regex:(.*)"
};
/// The answer of a step, and what the transaction does then.
struct HttpSeen {
    int status{0};
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;  ///< of the answer, in order
};
struct HttpTurn {
    std::optional<HttpQuestion> next;  ///< empty: it has ended
    std::string problem;               ///< "step pay: HTTP 503"
};
struct TransactionQuestion {
    std::vector<HttpStep> steps;
    /// Pure, given by the kind: judges `seen` of steps[step], adds to `taken` and fills in the
    /// next request. For the first request it is not asked: that has nothing to fill in.
    HttpTurn (*turn)(const TransactionQuestion& question, std::size_t step, const HttpSeen& seen,
                     std::map<std::string, std::string>& taken){nullptr};
};
struct TcpQuestion {
    std::string host;
    std::uint16_t port{0};
};
struct CommandQuestion {
    std::string on;  ///< catalog host, "" = on the controller
    Exec exec;
};
/// Where a secret is found; at most one is set. Never the secret itself.
struct SecretRef {
    std::string file;                  ///< absolute path
    std::string credential;            ///< name in $CREDENTIALS_DIRECTORY
    std::vector<std::string> command;  ///< prints it, on the controller
    [[nodiscard]] bool given() const {
        return !file.empty() || !credential.empty() || !command.empty();
    }
};
struct PostgresQuestion {
    std::string host;  ///< name, address, or the directory of a socket
    std::uint16_t port{0};
    std::string user, database;
    SecretRef password;
    std::string query;
    std::string mode;                  ///< libpq's target_session_attrs
    std::string tls;                   ///< libpq's sslmode
    std::string ca, certificate, key;  ///< files; "" = none
    bool kept{false};                  ///< the connection is used again
};
struct DnsQuestion {
    std::string server;  ///< numeric address
    std::uint16_t port{53};
    std::string name;
    std::uint16_t type{0};
    bool recursion{false};
    bool tcp{false};  ///< at once, not only when the answer is truncated
};
struct TlsQuestion {
    std::string host;
    std::uint16_t port{0};
    std::string name;               ///< for SNI and the certificate
    std::vector<std::string> alpn;  ///< offered, in this order
    std::string ca;                 ///< file of authorities; "" = the system's
};
using Question = std::variant<HttpQuestion, TcpQuestion, CommandQuestion, PostgresQuestion,
                              DnsQuestion, TlsQuestion, TransactionQuestion>;

/// What came back, before it is judged.
struct Answer {
    bool asked{false};  ///< false: the probe could not ask (unknown)
    bool timed_out{false};
    int status{0};        ///< HTTP or exit status, rcode, number of rows, days to expiry
    std::string body;     ///< HTTP body or stdout, capped
    std::string problem;  ///< "" or what failed below: "connection refused"
    std::vector<std::string> values;  ///< first column of the rows, records, [protocol] of TLS
    bool authoritative{false};        ///< DNS only
    Nanos latency{0};                 ///< received - intended
};

struct ProbeKind {
    std::string_view name;
    std::string_view summary;
    std::span<const Param> params;
    Result<Question> (*compose)(const Values& params){nullptr};
    /// Never returns unknown unless !answer.asked. Fills detail.
    SampleState (*judge)(const Values& params, const Answer& answer, std::string& detail){nullptr};
};
using ProbeKinds = std::span<const ProbeKind* const>;

}  // namespace drill
