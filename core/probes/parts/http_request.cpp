// The request of the http kinds, out of their parameters. See judging.hpp.
#include "probes/parts/judging.hpp"

#include <algorithm>

namespace drill::probes {

namespace {

constexpr std::string_view headers_prefix = "headers.";

bool is_header_name(std::string_view name) {
    constexpr std::string_view special = "!#$%&'*+-.^_`|~";  // RFC 9110, token
    return !name.empty() && std::ranges::all_of(name, [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               special.find(c) != std::string_view::npos;
    });
}

/// Texts and integers are allowed in the free table.
std::optional<std::string> header_value(const Value& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) { return std::to_string(*number); }
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr || text->find_first_of(std::string_view("\r\n\0", 3)) != text->npos) {
        return std::nullopt;
    }
    return *text;
}

Status check_url(const std::string& url) {
    const bool known = url.starts_with("http://") || url.starts_with("https://");
    const std::size_t from = url.find("//") + 2;
    if (!known || url.size() == from) {
        return fail(Code::invalid, "`url` must begin with http:// or https:// and name a host");
    }
    const bool printable =
        std::ranges::all_of(url, [](char c) { return static_cast<unsigned char>(c) > 0x20; });
    if (!printable) { return fail(Code::invalid, "`url` must not hold blanks or control bytes"); }
    const std::string_view authority =
        std::string_view(url).substr(from, url.find_first_of("/?#", from) - from);
    if (authority.find('@') != std::string_view::npos) {
        return fail(Code::invalid, "`url` must not hold a user name or password");
    }
    return ok();
}

}  // namespace

Result<HttpQuestion> http_request(const Values& values) {
    HttpQuestion question;
    question.url = text_of(values, "url");
    DRILL_CHECK(check_url(question.url));
    if (const std::string method = text_of(values, "method"); !method.empty()) {
        question.method = method;
    }
    question.body = text_of(values, "body");
    for (const auto& [name, value] : values) {
        if (!name.starts_with(headers_prefix)) { continue; }
        const std::string header = name.substr(headers_prefix.size());
        std::optional<std::string> line = header_value(value);
        if (!is_header_name(header) || !line) {
            return fail(Code::invalid, "header `" + header + "` is not one sound header line");
        }
        question.headers.emplace(header, *std::move(line));
    }
    return question;
}

}  // namespace drill::probes
