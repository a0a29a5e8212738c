// What `drill doctor` knows of a host: the way there, remarks with their fixes, and which kinds
// can be used on it. Plain data: plan/ground.hpp judges, report/ground.hpp shows.
// Must not: hold a secret (key files are paths, tickets are only their end).
#pragma once

#include "base/instant.hpp"
#include "model/action.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace drill {

/// trouble: no run can use the host until it is mended. doubt: it can, but something may be wrong
/// or could not be seen. note: worth knowing before a fault. good: as it should be.
enum class Concern : std::uint8_t { good, note, doubt, trouble };

struct Remark {
    Concern concern{Concern::good};
    std::string topic;  ///< "clock", "identity", ...: one word, the same in text and JSON
    std::string says;   ///< escaped, no trailing full stop
    std::string fix;    ///< what to do, "" where nothing is to be done
    friend bool operator==(const Remark&, const Remark&) = default;
};

/// What keeps a plan, or a kind, from a host. Gates and doctor say it in the same words.
struct Lack {
    std::string says;
    std::string fix;  ///< may be empty
    friend bool operator==(const Lack&, const Lack&) = default;
};

enum class Possible : std::uint8_t { yes, unsure, no };
struct KindGround {
    std::string kind;
    Possible possible{Possible::yes};
    std::vector<Lack> lacks;
    friend bool operator==(const KindGround&, const KindGround&) = default;
};

/// The wall clock of the target minus that of the controller lies between these.
struct ClockOffset {
    Nanos low{0}, high{0};
    friend bool operator==(const ClockOffset&, const ClockOffset&) = default;
};

struct HostGround {
    std::string host;
    std::string address;  ///< "10.77.0.21:22", "" for local
    bool answered{false};
    std::vector<Hop> way;  ///< outermost first, the host last; empty for local
    Nanos answer{0};       ///< of one question on the open session, without the question's work
    std::optional<ClockOffset> offset;
    std::string boot_id;
    std::vector<Remark> remarks;
    std::vector<KindGround> kinds;
    friend bool operator==(const HostGround&, const HostGround&) = default;
};

/// Something that ends at a known time and without which a run cannot go on or be undone.
struct Credential {
    std::string host;  ///< catalog name; "" = the controller's own, for every host it serves
    std::string what;  ///< "the certificate ~/.ssh/id-cert.pub"
    Wall ends{};
    std::string fix;
    friend bool operator==(const Credential&, const Credential&) = default;
};

[[nodiscard]] const char* name_of(Concern concern) noexcept;
[[nodiscard]] const char* name_of(Possible possible) noexcept;

}  // namespace drill
