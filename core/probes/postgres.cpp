// postgres: does a PostgreSQL server let us in and answer a query, in the mode that is wanted?
// Must not: do I/O; transport/sampler.hpp performs the question. Next: postgres.md.
#include "base/text.hpp"
#include "probes/parts/judging.hpp"

#include <algorithm>

namespace drill::probes {

namespace {

constexpr Param params[] = {
    {.name = "host",
     .type = ParamType::text,
     .required = true,
     .help = "Name or address of the server, or the directory of its socket."},
    {.name = "port",
     .type = ParamType::integer,
     .fallback = "5432",
     .help = "Port of the server.",
     .least = 1,
     .most = 65535},
    {.name = "user", .type = ParamType::text, .required = true, .help = "Role that logs in."},
    {.name = "database",
     .type = ParamType::text,
     .required = true,
     .help = "Database that is connected to."},
    {.name = "password.file",
     .type = ParamType::text,
     .help = "Absolute path of a file that holds the password, readable by its owner only."},
    {.name = "password.credential",
     .type = ParamType::text,
     .help = "Name of a systemd credential that holds the password."},
    {.name = "password.command",
     .type = ParamType::texts,
     .help = "Program on the controller that prints the password."},
    {.name = "query",
     .type = ParamType::text,
     .fallback = "SELECT 1",
     .help = "One statement; it must change nothing."},
    {.name = "connect",
     .type = ParamType::choice,
     .fallback = "each",
     .help = "A connection for each question, or one that is kept between them.",
     .choices = "each|kept"},
    {.name = "tls",
     .type = ParamType::choice,
     .fallback = "prefer",
     .help = "What libpq calls sslmode.",
     .choices = "disable|prefer|require|verify-ca|verify-full"},
    {.name = "ca", .type = ParamType::text, .help = "File of authorities; default the system's."},
    {.name = "certificate", .type = ParamType::text, .help = "File of the client's certificate."},
    {.name = "key", .type = ParamType::text, .help = "File of the client's private key."},
    {.name = "ok.value",
     .type = ParamType::text,
     .help = "First column of the first row, as text."},
    {.name = "ok.rows", .type = ParamType::integer, .help = "Number of rows that is right."},
    {.name = "ok.mode",
     .type = ParamType::choice,
     .fallback = "any",
     .help = "What the server must be; another one is failed.",
     .choices = "any|read-write|read-only|primary|standby"},
    {.name = "ok.within",
     .type = ParamType::duration,
     .help = "A later answer is degraded; counts from the intended send.",
     .least = 1},
};

bool is_credential_name(const std::string& name) {
    return name.find('/') == std::string::npos && name != "." && name != "..";
}

Status check_paths(const Values& values) {
    for (const char* name : {"ca", "certificate", "key", "password.file"}) {
        const std::string path = text_of(values, name);
        if (path.empty() || path.starts_with('/')) { continue; }
        return fail(Code::invalid, "`" + std::string(name) +
                                       "` must be an absolute path: plans are run from anywhere");
    }
    return ok();
}

Result<SecretRef> password_of(const Values& values) {
    SecretRef ref;
    ref.file = text_of(values, "password.file");
    ref.credential = text_of(values, "password.credential");
    if (const auto* argv = value_of<std::vector<std::string>>(values, "password.command")) {
        ref.command = *argv;
        if (argv->empty() || argv->front().empty()) {
            return fail(Code::invalid, "`password.command` must name a program");
        }
    }
    const int ways = static_cast<int>(!ref.file.empty()) +
                     static_cast<int>(!ref.credential.empty()) +
                     static_cast<int>(!ref.command.empty());
    if (ways > 1) {
        return fail(Code::invalid, "`password` has one of file, credential and command");
    }
    if (!is_credential_name(ref.credential)) {
        return fail(Code::invalid, "`password.credential` is a name, not a path");
    }
    return ref;
}

Result<Question> compose(const Values& values) {
    PostgresQuestion question;
    DRILL_CHECK(check_host(values, "host"));
    DRILL_CHECK(check_paths(values));
    DRILL_TRY(question.port, port_of(values, 5432));
    DRILL_TRY(question.password, password_of(values));
    question.host = text_of(values, "host");
    question.user = text_of(values, "user");
    question.database = text_of(values, "database");
    if (question.user.empty()) { return fail(Code::invalid, "`user` must not be empty"); }
    // libpq would take a name with = or :// for a whole set of parameters.
    const std::string& database = question.database;
    if (database.empty() || database.find('=') != database.npos ||
        database.find("://") != database.npos) {
        return fail(Code::invalid, "`database` must be the name of a database");
    }
    const auto or_else = [&](std::string_view name, std::string_view fallback) {
        const std::string text = text_of(values, name);
        return text.empty() ? std::string(fallback) : text;
    };
    question.query = or_else("query", "SELECT 1");
    question.mode = or_else("ok.mode", "any");
    question.tls = or_else("tls", "prefer");
    question.kept = text_of(values, "connect") == "kept";
    question.ca = text_of(values, "ca");
    question.certificate = text_of(values, "certificate");
    question.key = text_of(values, "key");
    return Question{std::move(question)};
}

std::optional<std::string> wrong(const Values& values, const Answer& answer) {
    const auto* rows = value_of<std::int64_t>(values, "ok.rows");
    if (rows != nullptr && answer.status != *rows) {
        return std::to_string(answer.status) + (answer.status == 1 ? " row" : " rows");
    }
    const auto* wanted = value_of<std::string>(values, "ok.value");
    if (wanted == nullptr) { return std::nullopt; }
    if (answer.values.empty()) { return "no row"; }
    if (answer.values.front() == *wanted) { return std::nullopt; }
    return "the value is \"" + answer.values.front().substr(0, 60) + '"';
}

SampleState judge(const Values& values, const Answer& answer, std::string& detail) {
    return judged(values, answer, wrong, detail);
}

}  // namespace

extern const ProbeKind postgres;
const ProbeKind postgres{
    .name = "postgres",
    .summary = "Logs in to a PostgreSQL server, asks a query and looks at rows, value and mode.",
    .params = params,
    .compose = compose,
    .judge = judge,
};

}  // namespace drill::probes
