// Reads the answer of an envelope script. The nonce is drawn for each call, so a line that
// carries it is ours; everything else is data.
// Must not: guess. An answer without its last line, or with a gap, is an unknown effect.
// Read next: envelope.hpp for the protocol.
#include "transport/envelope.hpp"

#include "base/text.hpp"

#include <charconv>

namespace drill {
namespace {

template <class Number>
std::optional<Number> number(std::string_view text) {
    Number value{};
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || problem != std::errc{} || end != text.data() + text.size()) { return {}; }
    return value;
}

constexpr std::int64_t nanos_per_centisecond = 10'000'000;

std::optional<Nanos> centiseconds(std::string_view text) {
    const auto value = number<std::int64_t>(text);
    if (!value || *value < 0 || *value > INT64_MAX / nanos_per_centisecond) { return {}; }
    return Nanos{*value * nanos_per_centisecond};
}

Error unknown(const Envelope& envelope, bool truncated, std::string_view what,
              std::string_view err) {
    std::string message{"the answer of the target "};
    message.append(what);
    if (truncated) { message.append(" (the output was longer than what is kept)"); }
    const std::string_view said = trim(err);
    if (!said.empty()) {
        constexpr std::size_t most = 200;
        message.append(": ").append(escape_control(said.substr(0, most), Lines::one));
    }
    Error error = fail(Code::unreachable, std::move(message), Effect::unknown);
    if (!envelope.lease.empty()) { return std::move(error).at("lease " + envelope.lease); }
    return error;
}

/// A line of the protocol: text behind "drill:<nonce>:", and where the line begins and ends.
struct Mark {
    std::string_view text;
    std::size_t begin{0};  ///< of the newline in front of it, or of the line itself at 0
    std::size_t end{0};    ///< behind its newline
};

std::optional<Mark> next_mark(std::string_view out, std::string_view word, std::size_t from) {
    while (true) {
        const std::size_t at = out.find(word, from);
        if (at == std::string_view::npos) { return {}; }
        const std::size_t newline = out.find('\n', at);
        if (newline == std::string_view::npos) { return {}; }  // cut off: not a line
        if (at == 0 || out[at - 1] == '\n') {
            const std::size_t text = at + word.size();
            return Mark{out.substr(text, newline - text), at == 0 ? 0 : at - 1, newline + 1};
        }
        from = at + 1;
    }
}

bool read_end(std::string_view text, Reply& reply) {
    const std::vector<std::string> fields = split(text, ':');
    if (fields.size() < 4 || fields.size() > 5 || fields[0] != "end") { return false; }
    const auto status = number<int>(fields[1]);
    const auto uptime = centiseconds(fields[3]);
    if (!status || *status < 0 || *status > 255 || !uptime) { return false; }
    if (fields.size() == 5 && fields[4] != "repeated") { return false; }
    reply.status = *status;
    reply.boot_id = fields[2];
    reply.uptime = *uptime;
    reply.repeated = fields.size() == 5;
    return true;
}

bool read_command(std::string_view text, std::string_view out, Reply& reply) {
    const std::vector<std::string> fields = split(text, ':');
    if (fields.size() != 3 || fields[0] != "cmd") { return false; }
    const auto index = number<std::size_t>(fields[1]);
    const auto status = number<int>(fields[2]);
    if (!index || *index != reply.parts.size() + 1 || !status) { return false; }
    reply.parts.push_back({*status, std::string(out), ""});
    return true;
}

/// How many commands a call that was not refused has run; empty where it may stop before.
std::optional<std::size_t> commands_expected(const Envelope& envelope, int status) {
    switch (envelope.phase) {
        case Phase::ask:
        case Phase::read_back: return envelope.commands.size();
        case Phase::undo: return envelope.undo.size() + envelope.read_back.size();
        case Phase::apply:
            if (status != EnvelopeStatus::done) { return {}; }
            return envelope.arm.size() + envelope.commands.size();
        case Phase::renew:
        case Phase::disarm:
            if (status != EnvelopeStatus::done) { return {}; }
            return envelope.commands.size();
        case Phase::sweep: return 1;
        case Phase::rehearse:
        case Phase::rehearsed: return 0;
    }
    return {};
}

}  // namespace

Result<Reply> parse_envelope(const Envelope& envelope, std::string_view out, std::string_view err,
                             bool truncated) {
    const std::string word = "drill:" + envelope.nonce + ":";
    Reply reply;
    reply.err = std::string(err);
    reply.truncated = truncated;
    bool ended = false;
    std::size_t from = 0;
    for (auto mark = next_mark(out, word, 0); mark && !ended;
         mark = next_mark(out, word, mark->end)) {
        // Two lines of ours in a row share a newline when a command wrote nothing.
        const std::size_t length = mark->begin > from ? mark->begin - from : 0;
        if (mark->text != "begin" && !read_command(mark->text, out.substr(from, length), reply)) {
            ended = read_end(mark->text, reply);
            if (!ended) { return unknown(envelope, truncated, "is damaged", err); }
        }
        from = mark->end;
    }
    if (!ended) { return unknown(envelope, truncated, "has no last line", err); }
    const auto expected = commands_expected(envelope, reply.status);
    if (expected && *expected != reply.parts.size()) {
        return unknown(envelope, truncated, "lacks the answers of some commands", err);
    }
    if (envelope.phase == Phase::undo) { reply.read_back_from = envelope.undo.size(); }
    return reply;
}

namespace {

FoundLease& entry(std::vector<FoundLease>& found, std::string_view lease) {
    for (FoundLease& one : found) {
        if (one.lease == lease) { return one; }
    }
    found.emplace_back();
    found.back().lease = std::string(lease);
    return found.back();
}

/// "inet drill_abc" and "drill-abc-2.service" to "abc".
std::string_view lease_in(std::string_view name, std::string_view word) {
    const std::size_t at = name.find(word);
    if (at == std::string_view::npos) { return {}; }
    name.remove_prefix(at + word.size());
    return name.substr(0, name.find_first_of("-_. "));
}

void read_guard(std::string_view value, FoundLease& lease) {
    const std::vector<std::string> fields = split(value, ' ');
    if (fields.size() != 4) { return; }
    lease.fired = lease.fired || fields[1] == "fired";
    lease.guard_alive = lease.guard_alive || fields[2] == "yes";
    const auto deadline = centiseconds(fields[3]);
    if (deadline && (!lease.deadline || *deadline > *lease.deadline)) { lease.deadline = deadline; }
}

void read_line(std::string_view key, std::string_view value, FoundLease& lease) {
    if (key == "directory") { lease.directory = std::string(value); }
    if (key == "kind") { lease.kind = std::string(value); }
    if (key == "label") { lease.label = std::string(value); }
    if (key == "boot_id") { lease.boot_id = std::string(value); }
    if (key == "answer") { lease.applied = starts_with_word(value, "done"); }
    if (key == "tombstone") { lease.tombstone = value == "yes"; }
    if (key == "guard") { read_guard(value, lease); }
}

}  // namespace

std::vector<FoundLease> parse_sweep(std::string_view text) {
    std::vector<FoundLease> found;
    std::string present;
    for (const std::string& line : split(text, '\n')) {
        const std::size_t equals = line.find('=');
        if (equals == std::string::npos) { continue; }
        const std::string_view key = std::string_view(line).substr(0, equals);
        const std::string_view value = std::string_view(line).substr(equals + 1);
        if (key == "lease") {
            present = std::string(value);
            entry(found, present);
        } else if (key == "table") {
            entry(found, lease_in(value, "drill_")).tables.emplace_back(value);
        } else if (key == "unit") {
            entry(found, lease_in(value, "drill-")).units.emplace_back(value);
        } else if (!present.empty()) {
            read_line(key, value, entry(found, present));
        }
    }
    return found;
}

}  // namespace drill
