// Puts an envelope script together: values, the blocks of envelope.sh that the phase needs,
// commands as function bodies, one call at the end. All data goes through shell_quote.
// Must not: decide what happens on the target (envelope.sh does). Read next: envelope_reply.cpp.
#include "transport/envelope.hpp"

#include "base/text.hpp"
#include "transport/envelope_source.hpp"

#include <algorithm>

namespace drill {
namespace {

const char* word_of(Phase phase) {
    switch (phase) {
        case Phase::ask: return "ask";
        case Phase::rehearse: return "rehearse";
        case Phase::rehearsed: return "rehearsed";
        case Phase::apply: return "apply";
        case Phase::renew: return "renew";
        case Phase::undo: return "undo";
        case Phase::read_back: return "read_back";
        case Phase::disarm: return "disarm";
        case Phase::sweep: return "sweep";
    }
    return "ask";
}

/// The blocks of envelope.sh for one reader, without comments and indentation.
std::string blocks_for(std::string_view reader) {
    std::string text;
    bool wanted = false;
    for (const std::string& line : split(envelope_source, '\n')) {
        if (line.starts_with("#= ")) {
            const std::vector<std::string> readers = split(std::string_view(line).substr(3), ' ');
            wanted = std::any_of(readers.begin(), readers.end(), [&](const std::string& name) {
                return name == reader || (name == "all" && reader != "guard");
            });
            continue;
        }
        const std::string_view bare = trim(line);
        if (wanted && !bare.empty() && bare.front() != '#') { text.append(bare).append("\n"); }
    }
    return text;
}

bool is_name(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    });
}

std::string one_line(std::string text) {
    std::replace_if(
        text.begin(), text.end(),
        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
    return text;
}

void set(std::string& script, std::string_view name, std::string_view value) {
    script.append(name).append("=").append(shell_quote(value)).append("\n");
}

std::string centiseconds(Nanos span) {
    return std::to_string(std::max<Nanos::rep>(0, span.count() / 10'000'000));
}

/// Whole seconds, rounded down so that nothing ends later than it was told; at least one.
std::string seconds(Nanos span) {
    if (span <= Nanos{0}) { return "0"; }
    return std::to_string(std::max<Nanos::rep>(1, span.count() / 1'000'000'000));
}

/// Quoted words, always behind `x` or `exec`: none can be taken for a keyword or an assignment.
std::string words(const Exec& exec) {
    const bool sound = !exec.argv.empty() && !exec.argv.front().starts_with('-');
    if (!sound) { return " ''"; }
    std::string text;
    for (const std::string& word : exec.argv) { text.append(" ").append(shell_quote(word)); }
    return text;
}

enum class OnFailure : unsigned char { stop, note, go_on };

void add_commands(std::string& body, const std::vector<Exec>& list, OnFailure on_failure) {
    for (const Exec& exec : list) {
        if (!exec.input.empty()) {
            body.append("fed=1\n");
            set(body, "input", exec.input);
        }
        body.append("x").append(words(exec));
        switch (on_failure) {
            case OnFailure::stop: body.append(" || return"); break;
            case OnFailure::note: body.append(" || failed=1"); break;
            case OnFailure::go_on: break;
        }
        body.append("\n");
    }
}

void add_function(std::string& script, std::string_view name, const std::vector<Exec>& list,
                  OnFailure on_failure) {
    script.append(name).append("() {\n");
    add_commands(script, list, on_failure);
    script.append(":\n}\n");
}

void add_places(std::string& script, const Envelope& envelope, const EnvelopePlaces& places) {
    set(script, "lease", envelope.lease);
    set(script, "kind", one_line(envelope.kind));
    set(script, "not_after", centiseconds(envelope.not_after));
    set(script, "run", places.run);
    set(script, "dir", lease_directory(envelope.lease, envelope.durable, places));
    set(script, "uptime_file", places.uptime);
    set(script, "boot_file", places.boot_id);
}

/// The file `guard` of the lease directory: what fires, and what `undo` beside it runs.
std::string guard_file(const Envelope& envelope, const EnvelopePlaces& places) {
    std::string script{"{\n"};
    add_places(script, envelope, places);
    set(script, "label", one_line(envelope.label));
    set(script, "gone", places.run + "/" + envelope.lease + ".gone");
    script.append("n=").append(std::to_string(envelope.undo.size())).append("\n");
    script.append("umask 077\nexport LC_ALL=C PATH=").append(shell_quote(places.path));
    script.append("\"${PATH:+:$PATH}\"\n").append(blocks_for("guard"));
    script.append("undo() {\ncase $1 in\n");
    for (std::size_t i = 0; i < envelope.undo.size(); ++i) {
        script.append(std::to_string(i + 1)).append(") exec").append(words(envelope.undo[i]));
        script.append(" ;;\n");
    }
    script.append("esac\n}\nguard_file \"$@\"\nexit\n}\n");
    return script;
}

std::string readme(const Envelope& envelope, const EnvelopePlaces& places) {
    const std::string directory = lease_directory(envelope.lease, envelope.durable, places);
    return "A fault was put on this host on purpose, by drill.\n\nwhat:  " +
           one_line(envelope.kind) + ", lease " + envelope.lease +
           "\nwho:   " + one_line(envelope.label) + "\n\nIt ends by itself at most " +
           seconds(envelope.ttl) +
           " s after the controller was heard last.\nTo end it now, as root:\n\n    sh " +
           directory + "/undo\n\nTo end every drill fault on this host: touch " + places.run +
           "/stop\nTo forbid them: echo all >" + places.deny +
           "\n\nWhen it has ended and nobody needs the records: rm -r " + directory + "\n";
}

void add_records(std::string& script, const Envelope& envelope, const EnvelopePlaces& places) {
    const std::string directory = lease_directory(envelope.lease, envelope.durable, places);
    set(script, "label", one_line(envelope.label));
    set(script, "deny", places.deny);
    script.append("n=").append(std::to_string(envelope.undo.size())).append("\n");
    set(script, "guard_text", guard_file(envelope, places));
    set(script, "undo_text",
        "exec " + places.shell + " " + shell_quote(directory + "/guard") + " drill-" +
            envelope.lease + " undo\n");
    set(script, "readme_text", readme(envelope, places));
}

}  // namespace

std::string lease_directory(std::string_view lease, bool durable, const EnvelopePlaces& places) {
    return (durable ? places.durable : places.run) + "/" + std::string(lease);
}

std::string render_envelope(const Envelope& envelope, const EnvelopePlaces& places) {
    const Phase phase = envelope.phase;
    const bool leased = phase != Phase::ask && phase != Phase::sweep;
    DRILL_ASSERT(is_name(envelope.lease) && (!leased || !envelope.lease.empty()));
    DRILL_ASSERT(is_name(envelope.nonce) && !envelope.nonce.empty());

    // One brace group: a shell runs nothing of it before it has read the closing brace.
    std::string script{"{\n"};
    add_places(script, envelope, places);
    set(script, "nonce", envelope.nonce);
    set(script, "want_boot", envelope.boot_id);
    set(script, "ttl", seconds(envelope.ttl));
    set(script, "durable", places.durable);
    set(script, "base", envelope.durable ? places.durable : places.run);
    set(script, "path", places.path);
    set(script, "shell", places.shell);
    script.append(blocks_for(word_of(phase)));
    switch (phase) {
        case Phase::apply:
            add_records(script, envelope, places);
            add_function(script, "arm", envelope.arm, OnFailure::stop);
            add_function(script, "commands", envelope.commands, OnFailure::stop);
            break;
        case Phase::rehearse: {
            Envelope bare = envelope;
            bare.undo.clear();
            add_records(script, bare, places);
            break;
        }
        case Phase::renew:
            add_function(script, "commands", envelope.commands, OnFailure::stop);
            break;
        case Phase::undo:
            add_function(script, "undo_commands", envelope.undo, OnFailure::note);
            add_function(script, "read_back_commands", envelope.read_back, OnFailure::go_on);
            break;
        case Phase::disarm:
            add_function(script, "commands", envelope.commands, OnFailure::note);
            break;
        case Phase::ask:
        case Phase::read_back:
            add_function(script, "commands", envelope.commands, OnFailure::go_on);
            break;
        case Phase::rehearsed:
        case Phase::sweep: break;
    }
    return script.append("begin \"$1\"\nexit\n}\n");
}

}  // namespace drill
