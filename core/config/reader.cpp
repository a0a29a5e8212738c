// See reader.hpp.
#include "config/reader.hpp"

#include "base/text.hpp"
#include "config/codes.hpp"

#include <algorithm>
#include <set>

namespace drill {

namespace {

constexpr std::size_t longest_name = 64;
constexpr std::size_t longest_address = 253;  // of a name in the DNS
constexpr std::size_t longest_text =
    std::size_t{64} * 1024;  // one value; a body for a probe is far smaller

bool all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(),
                                        [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

void report_type(Report& report, const Node& node, std::string_view key, std::string_view wanted,
                 std::string help) {
    report.error(codes::wrong_type, node.spot,
                 ticked(key) + " is " + std::string(name_of(node.type)) + ", it must be " +
                     std::string(wanted),
                 std::move(help));
}

bool within(std::int64_t value, Bounds bounds) {
    return value >= bounds.least && (bounds.most == 0 || value <= bounds.most);
}

template <class Show>
void report_range(Report& report, const Node& node, std::string_view key, Bounds bounds,
                  Show show) {
    std::string help = "at least " + show(bounds.least);
    if (bounds.most != 0) { help += ", at most " + show(bounds.most); }
    report.error(codes::out_of_range, node.spot, ticked(key) + " is out of range", help);
}

std::string number_of(const Node& node) {
    return node.type == Node::Type::integer ? std::to_string(node.integer) : node.text;
}

std::vector<std::string> list(const std::set<std::string>& set) { return {set.begin(), set.end()}; }

/// Says of each label whether any host has it. For a selection that matches nothing.
void explain_labels(Report& report, const Node& node, std::string_view key,
                    const Catalog& catalog) {
    bool explained = false;
    for (const Member& member : node.members) {
        std::set<std::string> keys;
        std::set<std::string> values;
        for (const CatalogHost& host : catalog.hosts) {
            for (const auto& [label, value] : host.labels) {
                keys.insert(label);
                if (label == member.key) { values.insert(value); }
            }
        }
        if (values.empty()) {
            const std::string known = keys.empty() ? "" : "labels are " + one_of(list(keys));
            report.error(codes::unknown_label, member.spot,
                         "no host has the label " + ticked(member.key),
                         report.did_you_mean(member.key, list(keys), known));
        } else if (!values.contains(member.value.text)) {
            report.error(codes::unknown_label, member.value.spot,
                         "no host has the label " + member.key + " = " + ticked(member.value.text),
                         report.did_you_mean(member.value.text, list(values),
                                             "its values are " + one_of(list(values))));
        } else {
            continue;
        }
        explained = true;
    }
    if (!explained) {
        report.error(codes::matches_nothing, node.spot,
                     ticked(key) + " matches no host of the catalog",
                     "each label exists, but no host has all of them");
    }
}

bool matches(const CatalogHost& host, const Selection& selection) {
    return std::all_of(selection.labels.begin(), selection.labels.end(), [&](const auto& label) {
        const auto found = host.labels.find(label.first);
        return found != host.labels.end() && found->second == label.second;
    });
}

std::optional<Selection> read_label_table(Report& report, const Node& node, std::string_view key,
                                          const Catalog* catalog) {
    Selection selection;
    bool sound = true;
    for (const Member& member : node.members) {
        const std::optional<std::string> value = read_text(report, member.value, member.key);
        sound = sound && value.has_value();
        if (value) { selection.labels.emplace(member.key, *value); }
    }
    if (node.members.empty()) {
        report.error(codes::matches_nothing, node.spot, ticked(key) + " is empty",
                     "name labels, or write \"all\"");
        return std::nullopt;
    }
    if (!sound) { return std::nullopt; }
    const bool any = catalog == nullptr ||
                     std::any_of(catalog->hosts.begin(), catalog->hosts.end(),
                                 [&](const CatalogHost& host) { return matches(host, selection); });
    if (!any) {
        if (!report.full()) { explain_labels(report, node, key, *catalog); }
        return std::nullopt;
    }
    return selection;
}

std::optional<Selection> read_host_array(Report& report, const Node& node, std::string_view key,
                                         const Catalog* catalog) {
    if (node.items.empty()) {
        report.error(codes::matches_nothing, node.spot, ticked(key) + " is empty",
                     "name hosts, or write \"all\"");
        return std::nullopt;
    }
    std::vector<std::string> known;
    std::set<std::string_view> index;
    if (catalog != nullptr) {
        for (const CatalogHost& host : catalog->hosts) {
            known.push_back(host.name);
            index.insert(host.name);
        }
    }
    Selection selection;
    std::set<std::string> seen;
    bool sound = true;
    for (const Node& item : node.items) {
        const std::optional<std::string> name = read_address(report, item, key);
        if (!name) {
            sound = false;
        } else if (!seen.insert(*name).second) {
            report.error(codes::duplicate_name, item.spot, ticked(*name) + " is named twice");
            sound = false;
        } else if (catalog != nullptr && !index.contains(*name)) {
            report.error(codes::unknown_host, item.spot, "the catalog has no host " + ticked(*name),
                         report.did_you_mean(*name, known, "hosts are " + one_of(known)));
            sound = false;
        } else {
            selection.hosts.push_back(*name);
        }
    }
    if (!sound) { return std::nullopt; }
    return selection;
}

}  // namespace

bool has_type(Report& report, const Node& node, std::string_view key, Node::Type type) {
    if (node.type == type) { return true; }
    report_type(report, node, key, name_of(type), "");
    return false;
}

std::optional<std::string> read_text(Report& report, const Node& node, std::string_view key,
                                     TextKind kind) {
    if (node.type != Node::Type::text) {
        const bool number = node.type == Node::Type::integer || node.type == Node::Type::boolean;
        const std::string written =
            node.type == Node::Type::boolean ? (node.boolean ? "true" : "false") : number_of(node);
        report_type(report, node, key, "a text",
                    number ? std::string(key) + " = \"" + written + '"' : "");
        return std::nullopt;
    }
    if (node.text.size() > longest_text) {
        report.error(codes::bad_text, node.spot,
                     ticked(key) + " is longer than " + std::to_string(longest_text) + " bytes");
        return std::nullopt;
    }
    for (const char c : node.text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool line_break = c == '\n' || c == '\r';
        if ((byte < 0x20 && c != '\t' && !(line_break && kind == TextKind::data)) || byte == 0x7f) {
            report.error(
                codes::bad_text, node.spot,
                ticked(key) + (line_break ? " holds a line break" : " holds a control character"));
            return std::nullopt;
        }
    }
    return node.text;
}

std::optional<bool> read_boolean(Report& report, const Node& node, std::string_view key) {
    if (node.type != Node::Type::boolean) {
        report_type(report, node, key, "true or false", "without quotes");
        return std::nullopt;
    }
    return node.boolean;
}

std::optional<std::int64_t> read_integer(Report& report, const Node& node, std::string_view key,
                                         Bounds bounds) {
    if (node.type != Node::Type::integer) {
        const bool bare = node.type == Node::Type::text && all_digits(node.text);
        report_type(report, node, key, "an integer",
                    bare ? std::string(key) + " = " + node.text : "");
        return std::nullopt;
    }
    if (!within(node.integer, bounds)) {
        report_range(report, node, key, bounds, [](std::int64_t n) { return std::to_string(n); });
        return std::nullopt;
    }
    return node.integer;
}

std::optional<Nanos> read_duration(Report& report, const Node& node, std::string_view key,
                                   Bounds bounds) {
    const bool number = node.type == Node::Type::integer || node.type == Node::Type::real;
    if (number || (node.type == Node::Type::text && all_digits(node.text))) {
        const std::string written = node.type == Node::Type::real ? "30" : number_of(node);
        report.error(codes::missing_unit, node.spot, ticked(key) + " needs a unit",
                     std::string(key) + " = \"" + written + "s\"  (units: d h m s ms us ns)");
        return std::nullopt;
    }
    if (node.type != Node::Type::text) {
        report_type(report, node, key, "a duration", std::string(key) + " = \"30s\"");
        return std::nullopt;
    }
    const std::optional<Nanos> value = parse_duration(node.text);
    if (!value) {
        const bool negative = trim(node.text).starts_with('-');
        report.error(codes::bad_duration, node.spot, ticked(node.text) + " is not a duration",
                     negative ? "a duration is never negative"
                              : "units are d h m s ms us ns, at most 365d, as in \"1m30s\"");
        return std::nullopt;
    }
    if (!within(value->count(), bounds)) {
        report_range(report, node, key, bounds,
                     [](std::int64_t n) { return format_duration(Nanos{n}); });
        return std::nullopt;
    }
    return value;
}

std::optional<Percent> read_percent(Report& report, const Node& node, std::string_view key,
                                    Bounds bounds) {
    const bool number = node.type == Node::Type::integer || node.type == Node::Type::real;
    if (number || (node.type == Node::Type::text && all_digits(node.text))) {
        const std::string written = node.type == Node::Type::real ? "50" : number_of(node);
        report.error(codes::missing_unit, node.spot, ticked(key) + " needs a unit",
                     std::string(key) + " = \"" + written + "%\"");
        return std::nullopt;
    }
    if (node.type != Node::Type::text) {
        report_type(report, node, key, "a percentage", std::string(key) + " = \"50%\"");
        return std::nullopt;
    }
    const std::optional<int> ppm = parse_percent(node.text);
    if (!ppm) {
        report.error(codes::bad_percent, node.spot,
                     ticked(node.text) + " is not a percentage from 0% to 100%");
        return std::nullopt;
    }
    if (!within(*ppm, bounds)) {
        report_range(report, node, key, bounds,
                     [](std::int64_t n) { return show_percent(static_cast<int>(n)); });
        return std::nullopt;
    }
    return Percent{*ppm};
}

std::optional<std::vector<std::string>> read_texts(Report& report, const Node& node,
                                                   std::string_view key) {
    if (node.type != Node::Type::array) {
        report_type(report, node, key, "an array of texts",
                    node.type == Node::Type::text ? "put it in [ ], one text for each word" : "");
        return std::nullopt;
    }
    std::vector<std::string> texts;
    bool sound = true;
    for (const Node& item : node.items) {
        std::optional<std::string> text = read_text(report, item, key);
        sound = sound && text.has_value();
        if (text) { texts.push_back(*std::move(text)); }
    }
    if (!sound) { return std::nullopt; }
    return texts;
}

std::optional<std::string> read_choice(Report& report, const Node& node, std::string_view key,
                                       std::span<const std::string> choices) {
    std::optional<std::string> text = read_text(report, node, key);
    if (!text) { return std::nullopt; }
    if (std::find(choices.begin(), choices.end(), *text) != choices.end()) { return text; }
    const std::string all = "it is one of " + one_of(choices);
    report.error(codes::bad_choice, node.spot, ticked(key) + " cannot be " + ticked(*text),
                 report.did_you_mean(*text, choices, all));
    return std::nullopt;
}

bool check_name(Report& report, std::string_view name, Spot spot, std::string_view key) {
    const bool good = !name.empty() && name.size() <= longest_name &&
                      std::all_of(name.begin(), name.end(), [](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                      });
    if (!good) {
        report.error(codes::bad_name, spot,
                     ticked(name) + " cannot be " +
                         (key == "name" ? "a name" : "the name of " + std::string(key)),
                     "names are made of a-z, 0-9 and -, 1 to 64 of them");
    }
    return good;
}

std::optional<std::string> read_name(Report& report, const Node& node, std::string_view key) {
    std::optional<std::string> text = read_text(report, node, key);
    if (!text || !check_name(report, *text, node.spot, key)) { return std::nullopt; }
    return text;
}

bool check_address(Report& report, std::string_view text, Spot spot, std::string_view key) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("._:%-").find(c) != std::string_view::npos;
    };
    const bool characters = std::all_of(text.begin(), text.end(), fits);
    if (!text.empty() && text.front() != '-' && text.size() <= longest_address && characters) {
        return true;
    }
    const bool dash = text.starts_with('-');
    report.error(codes::bad_address, spot, ticked(text) + " cannot be used as " + ticked(key),
                 dash ? "it would be read as an option: it must not begin with -"
                      : "only A-Z a-z 0-9 . _ : % - are allowed, 1 to 253 of them");
    return false;
}

std::optional<std::string> read_address(Report& report, const Node& node, std::string_view key) {
    std::optional<std::string> text = read_text(report, node, key);
    if (!text || !check_address(report, *text, node.spot, key)) { return std::nullopt; }
    return text;
}

std::optional<Selection> read_selection(Report& report, const Node& node, std::string_view key,
                                        const Catalog* catalog) {
    if (node.type == Node::Type::table) { return read_label_table(report, node, key, catalog); }
    if (node.type == Node::Type::array) { return read_host_array(report, node, key, catalog); }
    if (node.type != Node::Type::text) {
        report_type(report, node, key, "labels, host names or \"all\"", "");
        return std::nullopt;
    }
    if (node.text != "all") {
        const bool name = !node.text.empty();
        report.error(codes::bad_choice, node.spot, ticked(node.text) + " selects nothing",
                     name ? "write [\"" + node.text +
                                "\"] for a host, { label = \"value\" } for "
                                "labels, \"all\" for all hosts"
                          : "write \"all\" for all hosts");
        return std::nullopt;
    }
    if (catalog != nullptr && catalog->hosts.empty()) {
        report.error(codes::matches_nothing, node.spot, "the catalog has no host");
        return std::nullopt;
    }
    Selection selection;
    selection.all = true;
    return selection;
}

void TableReader::know(std::string_view key) {
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) { known_.emplace_back(key); }
}

const Node* TableReader::get(std::string_view key) {
    know(key);
    const Member* found = table_.find(key);
    return found == nullptr ? nullptr : &found->value;
}

const Node* TableReader::need(std::string_view key, std::string_view example) {
    const Node* found = get(key);
    if (found == nullptr) {
        report_.error(codes::missing_key, table_.spot, ticked(key) + " is missing in " + where_,
                      "add " + std::string(example));
    }
    return found;
}

void TableReader::close(Show show) {
    for (const Member& member : table_.members) {
        if (std::find(known_.begin(), known_.end(), member.key) != known_.end()) { continue; }
        const bool table = show == Show::tables && member.value.type == Node::Type::table;
        const bool tables = show == Show::tables && member.value.type == Node::Type::array;
        const std::string name = table    ? "table `[" + member.key + "]`"
                                 : tables ? "table `[[" + member.key + "]]`"
                                          : "key " + ticked(member.key);
        report_.error(codes::unknown_key, member.spot,
                      "unknown " + name + (where_.empty() ? "" : " in " + where_),
                      report_.did_you_mean(member.key, known_, "known are " + one_of(known_)));
    }
}

}  // namespace drill
