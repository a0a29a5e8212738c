// See schema.hpp. Regular expressions are of the kind that all validators know: no look-ahead.
#include "config/schema.hpp"

#include "base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace drill {

namespace {

using Json = nlohmann::json;

// Blanks as trim() and the readers take them. Bounds and order of units are the loader's.
constexpr const char* duration_pattern =
    "^[ \\t\\r\\n]*([0-9]+(\\.[0-9]{1,9})?[ \\t]*(d|h|m|s|ms|us|ns)[ \\t\\r\\n]*)+$";
constexpr const char* percent_pattern =
    "^[ \\t\\r\\n]*[0-9]+(\\.[0-9]{1,4})?[ \\t\\r\\n]*%[ \\t\\r\\n]*$";
constexpr const char* name_pattern = "^[a-z0-9-]{1,64}$";
constexpr const char* address_pattern = "^[A-Za-z0-9._:%][A-Za-z0-9._:%-]{0,252}$";
constexpr const char* predicate_pattern = "^ *(success|p50|p90|p95|p99) *(>=|>|<=|<) *[0-9].*$";
constexpr const char* port_pattern = "^[0-9]{1,5}(-[0-9]{1,5})?$";
constexpr std::int64_t most_port = 65'535;

Json text_schema() { return {{"type", "string"}}; }
Json text_schema(const char* pattern) { return {{"type", "string"}, {"pattern", pattern}}; }

Json any_of(std::initializer_list<Json> schemas) {
    Json list = Json::array();
    for (const Json& one : schemas) { list.push_back(one); }
    return {{"anyOf", std::move(list)}};
}

Json integer_schema(std::int64_t least, std::int64_t most) {
    Json schema{{"type", "integer"}, {"minimum", least}};
    if (most != 0) { schema["maximum"] = most; }
    return schema;
}

Json choice_schema(std::string_view choices) {
    return {{"type", "string"}, {"enum", split(choices, '|')}};
}

Json selection_schema() {
    return any_of(
        {{{"type", "object"}, {"minProperties", 1}, {"additionalProperties", text_schema()}},
         {{"type", "array"},
          {"minItems", 1},
          {"uniqueItems", true},
          {"items", text_schema(address_pattern)}},
         {{"enum", Json::array({"all"})}}});
}

Json ports_schema() {
    const Json one = any_of({integer_schema(1, most_port), text_schema(port_pattern)});
    return any_of({integer_schema(1, most_port),
                   text_schema(port_pattern),
                   {{"type", "array"}, {"items", one}}});
}

/// A closed table; `required` may be empty, which draft-04 wants left out.
Json closed_table(Json properties, const std::vector<std::string>& required) {
    Json schema{
        {"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
    if (!required.empty()) { schema["required"] = required; }
    return schema;
}

Json free_table(std::string_view choices) {
    const Json value = any_of({text_schema(), {{"type", "integer"}}});
    if (choices.empty()) { return {{"type", "object"}, {"additionalProperties", value}}; }
    Json properties = Json::object();
    for (const std::string& key : split(choices, '|')) { properties[key] = value; }
    return closed_table(std::move(properties), {});
}

Json steps_schema(std::span<const Param> items);

Json param_schema(const Param& param) {
    Json schema;
    switch (param.type) {
        case ParamType::boolean: schema = {{"type", "boolean"}}; break;
        case ParamType::integer: schema = integer_schema(param.least, param.most); break;
        case ParamType::text: schema = text_schema(); break;
        case ParamType::duration: schema = text_schema(duration_pattern); break;
        case ParamType::percent: schema = text_schema(percent_pattern); break;
        case ParamType::texts:
            schema = {{"type", "array"}, {"items", text_schema()}};
            if (param.required) { schema["minItems"] = 1; }
            break;
        case ParamType::choice: schema = choice_schema(param.choices); break;
        case ParamType::ports: schema = ports_schema(); break;
        case ParamType::selection: schema = selection_schema(); break;
        case ParamType::table: schema = free_table(param.choices); break;
        case ParamType::steps: schema = steps_schema({param.items, param.item_count}); break;
    }
    if (!param.help.empty()) { schema["description"] = std::string(param.help); }
    return schema;
}

/// The properties that parameters add, and which of them have to be there.
struct Parameters {
    Json properties = Json::object();
    std::vector<std::string> required;
};

Parameters parameters_of(std::span<const Param> params) {
    Parameters out;
    std::set<std::string> closed;
    for (const Param& param : params) {
        const std::size_t dot = param.name.find('.');
        if (dot == std::string_view::npos) { continue; }
        const std::string outer(param.name.substr(0, dot));
        const std::string inner(param.name.substr(dot + 1));
        closed.insert(outer);
        Json& table = out.properties[outer];
        if (table.is_null()) { table = closed_table(Json::object(), {}); }
        table["properties"][inner] = param_schema(param);
        if (!param.required) { continue; }
        table["required"].push_back(inner);
        const bool known =
            std::find(out.required.begin(), out.required.end(), outer) != out.required.end();
        if (!known) { out.required.push_back(outer); }
    }
    for (const Param& param : params) {
        const std::string name(param.name);
        if (name.find('.') != std::string::npos || closed.contains(name)) { continue; }
        out.properties[name] = param_schema(param);
        if (param.required) { out.required.push_back(name); }
    }
    return out;
}

Json steps_schema(std::span<const Param> items) {
    constexpr int most_steps = 16;  // as the loader has it
    Parameters step = parameters_of(items);
    return {{"type", "array"},
            {"minItems", 1},
            {"maxItems", most_steps},
            {"items", closed_table(std::move(step.properties), step.required)}};
}

Json names_schema(auto kinds) {
    Json names = Json::array();
    for (const auto* kind : kinds) { names.push_back(std::string(kind->name)); }
    return {{"type", "string"}, {"enum", std::move(names)}};
}

class SchemaMaker {
public:
    SchemaMaker(DefinitionFile file, Kinds kinds, ProbeKinds probe_kinds)
        : file_(file), kinds_(kinds), probe_kinds_(probe_kinds) {}

    Json make() {
        Json properties = Json::object();
        std::vector<std::string> required;
        for (const TableRule& table : table_rules()) {
            if (table.file != file_) { continue; }
            const std::string name(table.name);
            properties[name] = table_schema(table);
            if (table.required) { required.push_back(name); }
        }
        Json schema = closed_table(std::move(properties), required);
        schema["$schema"] = "http://json-schema.org/draft-04/schema#";
        schema["title"] =
            file_ == DefinitionFile::catalog ? "drill catalog (drill.toml)" : "drill experiment";
        return schema;
    }

private:
    Json key_schema(const KeyRule& key) {
        Json schema;
        switch (key.type) {
            case KeyType::text: schema = text_schema(); break;
            case KeyType::name: schema = text_schema(name_pattern); break;
            case KeyType::address: schema = text_schema(address_pattern); break;
            case KeyType::boolean: schema = {{"type", "boolean"}}; break;
            case KeyType::integer: schema = integer_schema(key.least, key.most); break;
            case KeyType::duration: schema = text_schema(duration_pattern); break;
            case KeyType::percent: schema = text_schema(percent_pattern); break;
            case KeyType::choice: schema = choice_schema(key.choices); break;
            case KeyType::selection: schema = selection_schema(); break;
            case KeyType::addresses:
                schema = {{"type", "array"},
                          {"minItems", key.least},
                          {"maxItems", key.most},
                          {"uniqueItems", true},
                          {"items", text_schema(address_pattern)}};
                break;
            case KeyType::labels:
                schema = {{"type", "object"},
                          {"maxProperties", key.most},
                          {"additionalProperties", false},
                          {"patternProperties", {{address_pattern, text_schema()}}}};
                break;
            case KeyType::key_file:
                schema = closed_table({{"file", {{"type", "string"}, {"minLength", 1}}}}, {"file"});
                break;
            case KeyType::secret:
                schema = closed_table(
                    {{"file", {{"type", "string"}, {"minLength", 1}}},
                     {"credential", text_schema("^[^./][^/]{0,63}$")},
                     {"command",
                      {{"type", "array"}, {"minItems", 1}, {"items", {{"type", "string"}}}}}},
                    {});
                schema["minProperties"] = 1;
                schema["maxProperties"] = 1;
                break;
            case KeyType::pick:
                schema = any_of({integer_schema(key.least, key.most),
                                 text_schema(percent_pattern),
                                 {{"enum", Json::array({"all"})}}});
                break;
            case KeyType::predicate: schema = text_schema(predicate_pattern); break;
            case KeyType::after:
                schema = {{"type", "array"},
                          {"uniqueItems", true},
                          {"items", text_schema("^[a-z0-9-]{1,64}(:held|:released)?$")}};
                break;
            case KeyType::regain: schema = inner_table(key.table, key.name); break;
            case KeyType::fault: schema = names_schema(kinds_); break;
            case KeyType::probe: schema = names_schema(probe_kinds_); break;
            case KeyType::with: schema = {{"type", "object"}}; break;
        }
        schema["description"] = std::string(key.help);
        return schema;
    }

    /// Rows "outer.x" of a table.
    Json inner_table(std::string_view table, std::string_view outer) {
        Json properties = Json::object();
        std::vector<std::string> required;
        const std::string prefix = std::string(outer) + ".";
        for (const KeyRule& key : key_rules()) {
            if (key.file != file_ || key.table != table || !key.name.starts_with(prefix)) {
                continue;
            }
            const std::string name(key.name.substr(prefix.size()));
            properties[name] = key_schema(key);
            if (key.required) { required.push_back(name); }
        }
        return closed_table(std::move(properties), required);
    }

    Json keys_of(std::string_view table, std::vector<std::string>& required) {
        Json properties = Json::object();
        for (const KeyRule& key : key_rules()) {
            const bool inner = key.name.find('.') != std::string_view::npos;
            if (key.file != file_ || key.table != table || inner) { continue; }
            properties[std::string(key.name)] = key_schema(key);
            if (key.required) { required.emplace_back(key.name); }
        }
        return properties;
    }

    /// One alternative for each kind of probe: its name, and the parameters of that kind.
    Json probe_schema() {
        Json list = Json::array();
        for (const ProbeKind* kind : probe_kinds_) {
            std::vector<std::string> required;
            Json properties = keys_of("probe", required);
            properties["kind"] = {{"enum", Json::array({std::string(kind->name)})},
                                  {"description", std::string(kind->summary)}};
            Parameters more = parameters_of(kind->params);
            properties.update(more.properties);
            required.insert(required.end(), more.required.begin(), more.required.end());
            list.push_back(closed_table(std::move(properties), required));
        }
        return {{"oneOf", std::move(list)}};
    }

    Json step_schema() {
        Json list = Json::array();
        for (const Kind* kind : kinds_) {
            std::vector<std::string> required;
            Json properties = keys_of("step", required);
            properties["fault"] = {{"enum", Json::array({std::string(kind->name)})},
                                   {"description", std::string(kind->summary)}};
            const Parameters more = parameters_of(kind->params);
            properties["with"] = closed_table(more.properties, more.required);
            if (!more.required.empty()) { required.emplace_back("with"); }
            if (kind->ending != Ending::instant) { required.emplace_back("hold"); }
            list.push_back(closed_table(std::move(properties), required));
        }
        return {{"oneOf", std::move(list)}};
    }

    Json rows_schema(const TableRule& table) {
        if (table.name == "probe") { return probe_schema(); }
        if (table.name == "step") { return step_schema(); }
        std::vector<std::string> required;
        Json properties = keys_of(table.name, required);
        Json schema = closed_table(std::move(properties), required);
        if (table.name == "hypothesis") {
            schema["anyOf"] = Json::array({{{"required", Json::array({"before"})}},
                                           {{"required", Json::array({"during"})}},
                                           {{"required", Json::array({"regain"})}},
                                           {{"required", Json::array({"integrity"})}}});
        }
        if (table.name == "limit") {
            schema["anyOf"] = Json::array(
                {{{"required", Json::array({"hosts"})}}, {{"required", Json::array({"share"})}}});
        }
        if (table.name == "host") {
            schema["anyOf"] =
                Json::array({{{"required", Json::array({"address"})}},
                             {{"properties", {{"transport", {{"enum", Json::array({"local"})}}}}},
                              {"required", Json::array({"transport"})}}});
        }
        return schema;
    }

    Json table_schema(const TableRule& table) {
        Json schema;
        switch (table.shape) {
            case TableShape::once: schema = rows_schema(table); break;
            case TableShape::named:
                schema = {{"type", "object"},
                          {"additionalProperties", false},
                          {"patternProperties",
                           {{table.name == "host" ? address_pattern : name_pattern,
                             rows_schema(table)}}}};
                break;
            case TableShape::many:
                schema = {{"type", "array"}, {"items", rows_schema(table)}};
                if (table.required) { schema["minItems"] = 1; }
                break;
        }
        schema["description"] = std::string(table.help);
        return schema;
    }

    DefinitionFile file_;
    Kinds kinds_;
    ProbeKinds probe_kinds_;
};

}  // namespace

std::string schema_json(DefinitionFile file, Kinds kinds, ProbeKinds probe_kinds) {
    return SchemaMaker(file, kinds, probe_kinds).make().dump(2) + "\n";
}

}  // namespace drill
