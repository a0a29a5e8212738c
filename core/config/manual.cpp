// See manual.hpp.
#include "config/manual.hpp"

#include "base/text.hpp"
#include "config/codes.hpp"
#include "config/keys.hpp"
#include "config/manual_codes.hpp"
#include "config/manual_words.hpp"

#include <algorithm>
#include <chrono>

namespace drill {

namespace {

std::string code(std::string_view text) { return "`" + std::string(text) + "`"; }

std::string fenced(std::string_view text) { return "```toml\n" + std::string(text) + "\n```\n"; }

std::string span_text(std::int64_t ms) { return format_duration(std::chrono::milliseconds{ms}); }

/// "1 to 10000", "at least 1s"; "" without a bound.
std::string bounds_of(KeyType type, std::int64_t least, std::int64_t most) {
    const auto shown = [type](std::int64_t value) {
        if (type == KeyType::duration) { return span_text(value); }
        if (type == KeyType::percent) { return show_percent(static_cast<int>(value)); }
        return std::to_string(value);
    };
    const bool bounded = type == KeyType::duration || type == KeyType::integer ||
                         type == KeyType::percent || type == KeyType::pick ||
                         type == KeyType::addresses || type == KeyType::labels;
    if (!bounded || (least == 0 && most == 0)) { return ""; }
    if (most == 0) { return "at least " + shown(least); }
    return shown(least) + " to " + shown(most);
}

const TableRule* table_of(const KeyRule& key) {
    for (const TableRule& table : table_rules()) {
        if (table.file == key.file && table.name == key.table) { return &table; }
    }
    return nullptr;
}

const char* file_word(DefinitionFile file) {
    return file == DefinitionFile::catalog ? "catalog (drill.toml)" : "experiment";
}

Topic key_topic(const KeyRule& key) {
    Topic topic;
    topic.group = TopicGroup::key;
    topic.name = std::string(key.table) + "." + std::string(key.name);
    topic.aliases = {std::string(key.name), std::string(key.name.substr(key.name.rfind('.') + 1))};
    topic.summary = key.help;
    const TableRule* table = table_of(key);
    topic.text = std::string(key.help) + "\n\n";
    if (table != nullptr) {
        topic.text +=
            "- where: " + code(table->written()) + " of the " + file_word(key.file) + "\n";
    }
    topic.text += "- value: " + std::string(describe(key.type)) + "\n";
    if (!key.choices.empty()) {
        topic.text += "- words: " + join(split(key.choices, '|'), ", ") + "\n";
    }
    if (const std::string bounds = bounds_of(key.type, key.least, key.most); !bounds.empty()) {
        topic.text += "- bounds: " + bounds + "\n";
    }
    if (key.required) {
        topic.text += "- required\n";
    } else {
        topic.text +=
            "- may be left out" +
            (key.fallback.empty() ? std::string() : "; then it is " + code(key.fallback)) + "\n";
    }
    return topic;
}

Topic table_topic(const TableRule& table) {
    Topic topic;
    topic.group = TopicGroup::table;
    topic.name = table.written();
    topic.aliases = {std::string(table.name)};
    topic.summary = table.help;
    topic.text = std::string(table.help) + "\n\n- file: " + file_word(table.file) +
                 (table.required ? "\n- required\n" : "\n- may be left out\n") + "\n## Keys\n";
    for (const KeyRule& key : key_rules()) {
        if (key.file != table.file || key.table != table.name) { continue; }
        topic.text += "- " + code(key.name) + (key.required ? " (required): " : ": ") +
                      std::string(key.help) + "\n";
    }
    return topic;
}

Topic kind_topic(TopicGroup group, std::string_view name, std::string_view summary,
                 KindPages pages) {
    Topic topic;
    topic.group = group;
    topic.name = name;
    topic.summary = summary;
    topic.text = std::string(summary) + "\n";
    for (const KindPage& page : pages) {
        if (page.name != name) { continue; }
        const std::size_t title = page.text.find('\n');  // "# name", which the caller shows
        if (title != std::string_view::npos) { topic.text += page.text.substr(title + 1); }
    }
    return topic;
}

Topic code_topic(const CodeMeaning& meaning) {
    Topic topic;
    topic.group = TopicGroup::code;
    topic.name = meaning.code;
    topic.summary = meaning.meaning;
    std::string first(meaning.meaning);
    if (!first.empty() && first[0] >= 'a' && first[0] <= 'z') {
        first[0] = static_cast<char>(first[0] - 'a' + 'A');
    }
    topic.text = first + ".\n";
    for (const CodeHelp& help : code_helps()) {
        if (help.code != meaning.code) { continue; }
        topic.text += "\n" + std::string(help.why) + "\n";
        if (!help.wrong.empty()) { topic.text += "\n## Not so\n" + fenced(help.wrong); }
        if (!help.right.empty()) { topic.text += "\n## But so\n" + fenced(help.right); }
    }
    return topic;
}

std::string lower_case(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') { c = static_cast<char>(c - 'A' + 'a'); }
    }
    return out;
}

}  // namespace

const char* name_of(TopicGroup group) noexcept {
    switch (group) {
        case TopicGroup::fault: return "fault";
        case TopicGroup::probe: return "probe";
        case TopicGroup::table: return "table";
        case TopicGroup::key: return "key";
        case TopicGroup::metric: return "metric";
        case TopicGroup::verdict: return "verdict";
        case TopicGroup::word: return "word";
        case TopicGroup::code: return "code";
    }
    return "";
}

std::vector<Topic> manual(const ManualSources& sources) {
    std::vector<Topic> topics;
    for (const Kind* kind : sources.kinds) {
        topics.push_back(
            kind_topic(TopicGroup::fault, kind->name, kind->summary, sources.fault_pages));
    }
    for (const ProbeKind* kind : sources.probe_kinds) {
        topics.push_back(
            kind_topic(TopicGroup::probe, kind->name, kind->summary, sources.probe_pages));
    }
    for (const TableRule& table : table_rules()) { topics.push_back(table_topic(table)); }
    for (const KeyRule& key : key_rules()) { topics.push_back(key_topic(key)); }
    for (const TopicGroup group : {TopicGroup::metric, TopicGroup::verdict, TopicGroup::word}) {
        for (const WordHelp& help : word_helps()) {
            if (help.group != group) { continue; }
            Topic topic;
            topic.group = group;
            topic.name = help.name;
            topic.aliases = split(help.aliases, ' ');
            topic.summary = help.summary;
            topic.text = std::string(help.summary) + "\n" + std::string(help.text);
            topics.push_back(std::move(topic));
        }
    }
    for (const CodeMeaning& meaning : code_meanings) { topics.push_back(code_topic(meaning)); }
    return topics;
}

std::vector<const Topic*> find_topics(const std::vector<Topic>& topics, std::string_view word) {
    const std::string wanted = lower_case(word);
    std::vector<const Topic*> found;
    for (const Topic& topic : topics) {
        if (lower_case(topic.name) == wanted) { found.push_back(&topic); }
    }
    if (!found.empty() || wanted.empty()) { return found; }
    for (const Topic& topic : topics) {
        const bool also = std::any_of(topic.aliases.begin(), topic.aliases.end(),
                                      [&](const auto& one) { return lower_case(one) == wanted; });
        if (also) { found.push_back(&topic); }
    }
    return found;
}

std::vector<std::string> near_topics(const std::vector<Topic>& topics, std::string_view word) {
    constexpr std::size_t most = 3;
    const std::string wanted = lower_case(word);
    std::vector<std::string> candidates;
    for (const Topic& topic : topics) {
        candidates.push_back(lower_case(topic.name));
        for (const std::string& alias : topic.aliases) { candidates.push_back(lower_case(alias)); }
    }
    std::vector<std::string> near;
    while (near.size() < most) {
        const std::optional<std::string> next = nearest(wanted, candidates);
        if (!next) { break; }
        std::erase(candidates, *next);
        near.push_back(*next);
    }
    return near;
}

}  // namespace drill
