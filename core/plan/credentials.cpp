// See credentials.hpp.
#include "plan/credentials.hpp"

#include "base/text.hpp"

#include <array>
#include <charconv>
#include <string>

namespace drill {

namespace {

/// All runs of digits in a text, as numbers: "2026-11-24T14:02:31" gives six.
std::vector<int> numbers(std::string_view text) {
    std::vector<int> found;
    for (std::size_t i = 0; i < text.size();) {
        int number = 0;
        const auto [end, bad] = std::from_chars(text.data() + i, text.data() + text.size(), number);
        const bool digit = text[i] >= '0' && text[i] <= '9';
        if (bad != std::errc{} || !digit) {
            ++i;
            continue;
        }
        found.push_back(number);
        i = static_cast<std::size_t>(end - text.data());
    }
    return found;
}

std::optional<Wall> moment(int year, int month, int day, const std::array<int, 3>& time) {
    const std::chrono::year_month_day date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok()) { return std::nullopt; }
    return Wall{std::chrono::sys_days{date}} + std::chrono::hours{time[0]} +
           std::chrono::minutes{time[1]} + std::chrono::seconds{time[2]};
}

}  // namespace

std::vector<Wall> certificate_ends(std::string_view text) {
    std::vector<Wall> ends;
    for (const std::string& line : split(text, '\n')) {
        // "        Valid: from 2026-11-22T20:00:00 to 2026-11-23T04:00:00", or "before ..."
        const std::string_view all = trim(line);
        if (!all.starts_with("Valid:")) { continue; }
        std::size_t at = all.rfind(" to ");
        if (at == std::string_view::npos) { at = all.find(" before "); }
        if (at == std::string_view::npos) { continue; }
        const std::vector<int> n = numbers(all.substr(at));
        if (n.size() < 6) { continue; }
        if (const auto end = moment(n[0], n[1], n[2], {n[3], n[4], n[5]})) { ends.push_back(*end); }
    }
    return ends;
}

std::optional<Wall> ticket_end(std::string_view text) {
    std::optional<Wall> latest;
    for (const std::string& line : split(text, '\n')) {
        // "11/22/2026 20:00:00  11/23/2026 06:00:00  krbtgt/EXAMPLE.ORG@EXAMPLE.ORG"
        const std::size_t service = line.find("krbtgt/");
        if (service == std::string::npos || line.find('/') >= service) { continue; }
        const std::vector<int> n = numbers(std::string_view(line).substr(0, service));
        if (n.size() < 12) { continue; }
        const int year = n[8] < 100 ? n[8] + 2000 : n[8];
        const auto end = moment(year, n[6], n[7], {n[9], n[10], n[11]});
        if (end && (!latest || *end > *latest)) { latest = end; }
    }
    return latest;
}

}  // namespace drill
