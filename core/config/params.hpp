// The parameters of a kind, typed by its Param table. Two ways to declare a nested table:
//   Param "ok.within" with its own type: a closed table, every key typed like any other;
//   Param "headers" of type table: free keys. `choices` ("a|b"), where given, closes it. A text
//   stays a text, an integer an integer; the key `within` is a duration.
// Both are stored flat: "ok.within", "headers.Accept". Next: model/param.hpp.
#pragma once

#include "config/reader.hpp"

#include <span>

namespace drill {

/// Asks `table` for every parameter; values and defaults go to `out`. Does not close the table.
/// `catalog` null: host names and labels are not checked.
void read_params(TableReader& table, std::span<const Param> params, const Catalog* catalog,
                 Values& out);

}  // namespace drill
