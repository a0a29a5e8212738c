// dns: what does one name server say of one name? Asked directly, without any resolver's cache.
// Must not: do I/O; transport/sampler.hpp performs the question. Next: dns.md.
#include "base/text.hpp"
#include "probes/parts/judging.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace drill::probes {

namespace {

constexpr Param params[] = {
    {.name = "server",
     .type = ParamType::text,
     .required = true,
     .help = "Address of the name server that is asked."},
    {.name = "port",
     .type = ParamType::integer,
     .fallback = "53",
     .help = "Port of the name server.",
     .least = 1,
     .most = 65535},
    {.name = "domain",
     .type = ParamType::text,
     .required = true,
     .help = "Name that is asked for."},
    {.name = "type",
     .type = ParamType::choice,
     .fallback = "A",
     .help = "Type of the records.",
     .choices = "A|AAAA|CNAME|MX|NS|PTR|SOA|SRV|TXT"},
    {.name = "transport",
     .type = ParamType::choice,
     .fallback = "udp",
     .help = "UDP, and TCP when the answer is truncated; or TCP at once.",
     .choices = "udp|tcp"},
    {.name = "recursion",
     .type = ParamType::boolean,
     .fallback = "true",
     .help = "Whether the server is asked to find the answer elsewhere."},
    {.name = "ok.rcode",
     .type = ParamType::choice,
     .fallback = "NOERROR",
     .help = "Response code that is right.",
     .choices = "NOERROR|FORMERR|SERVFAIL|NXDOMAIN|NOTIMP|REFUSED"},
    {.name = "ok.value", .type = ParamType::text, .help = "Record that must be among the answers."},
    {.name = "ok.values",
     .type = ParamType::texts,
     .help = "All records of the answer, in any order; [] = none."},
    {.name = "ok.authoritative",
     .type = ParamType::boolean,
     .help = "Whether the answer must be the server's own."},
    {.name = "ok.within",
     .type = ParamType::duration,
     .help = "A later answer is degraded; counts from the intended send.",
     .least = 1},
};

struct Numbered {
    std::string_view name;
    std::uint16_t number;
};
constexpr Numbered types[] = {{"A", 1},    {"AAAA", 28}, {"CNAME", 5}, {"MX", 15}, {"NS", 2},
                              {"PTR", 12}, {"SOA", 6},   {"SRV", 33},  {"TXT", 16}};
constexpr std::string_view rcodes[] = {"NOERROR",  "FORMERR", "SERVFAIL",
                                       "NXDOMAIN", "NOTIMP",  "REFUSED"};

bool is_name(std::string_view name) {
    if (name == ".") { return true; }
    if (name.ends_with('.')) { name.remove_suffix(1); }
    if (name.empty() || name.size() > 253) { return false; }
    return std::ranges::all_of(split(name, '.'), [](const std::string& label) {
        return !label.empty() && label.size() <= 63 && std::ranges::all_of(label, [](char c) {
            return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f;
        });
    });
}

/// The address as the system writes it, "" for what is none.
std::string canonical_address(const std::string& text) {
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    std::array<char, INET6_ADDRSTRLEN> out{};
    for (const int family : {AF_INET, AF_INET6}) {
        if (::inet_pton(family, text.c_str(), bytes.data()) == 1 &&
            ::inet_ntop(family, bytes.data(), out.data(), out.size()) != nullptr) {
            return out.data();
        }
    }
    return "";
}

/// Names are one whatever their case and last dot; texts are compared as they are.
std::string canonical(const std::string& type, std::string text) {
    if (type == "TXT") { return text; }
    if (std::string address = canonical_address(text); !address.empty()) { return address; }
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (text.size() > 1 && text.ends_with('.')) { text.pop_back(); }
    return text;
}

std::string type_of(const Values& values) {
    const std::string type = text_of(values, "type");
    return type.empty() ? "A" : type;
}

Result<Question> compose(const Values& values) {
    DnsQuestion question;
    question.server = canonical_address(text_of(values, "server"));
    if (question.server.empty()) {
        return fail(Code::invalid,
                    "`server` must be an address; a name would be looked up elsewhere first");
    }
    DRILL_TRY(question.port, port_of(values, 53));
    question.name = text_of(values, "domain");
    if (!is_name(question.name)) {
        return fail(Code::invalid, "`domain` must be a domain name such as \"orders.lab\"");
    }
    const std::string type = type_of(values);
    const auto* const found = std::ranges::find(types, type, &Numbered::name);
    if (found == std::end(types)) { return fail(Code::invalid, "`type` is not known: " + type); }
    question.type = found->number;
    question.tcp = text_of(values, "transport") == "tcp";
    const auto* recursion = value_of<bool>(values, "recursion");
    question.recursion = recursion == nullptr || *recursion;
    return Question{std::move(question)};
}

std::string listed(const std::vector<std::string>& records) {
    return records.empty() ? "no record" : join(records, ", ").substr(0, 120);
}

std::optional<std::string> wrong(const Values& values, const Answer& answer) {
    const std::string wanted =
        text_of(values, "ok.rcode").empty() ? "NOERROR" : text_of(values, "ok.rcode");
    const auto code = static_cast<std::size_t>(answer.status);
    const std::string found = code < std::size(rcodes) ? std::string(rcodes[code])
                                                       : "rcode " + std::to_string(answer.status);
    if (found != wanted) { return found; }
    const auto* authoritative = value_of<bool>(values, "ok.authoritative");
    if (authoritative != nullptr && *authoritative != answer.authoritative) {
        return answer.authoritative ? "the answer is authoritative"
                                    : "the answer is not authoritative";
    }
    const std::string type = type_of(values);
    std::vector<std::string> records;
    for (const std::string& value : answer.values) { records.push_back(canonical(type, value)); }
    std::ranges::sort(records);
    if (const auto* all = value_of<std::vector<std::string>>(values, "ok.values")) {
        std::vector<std::string> right;
        for (const std::string& value : *all) { right.push_back(canonical(type, value)); }
        std::ranges::sort(right);
        return records == right ? std::nullopt : std::optional(listed(answer.values));
    }
    const auto* one = value_of<std::string>(values, "ok.value");
    if (one != nullptr && std::ranges::find(records, canonical(type, *one)) == records.end()) {
        return listed(answer.values);
    }
    if (wanted == "NOERROR" && records.empty()) { return "no record"; }
    return std::nullopt;
}

SampleState judge(const Values& values, const Answer& answer, std::string& detail) {
    return judged(values, answer, wrong, detail);
}

}  // namespace

extern const ProbeKind dns;
const ProbeKind dns{
    .name = "dns",
    .summary = "Asks one name server for a name and looks at response code, records and time.",
    .params = params,
    .compose = compose,
    .judge = judge,
};

}  // namespace drill::probes
