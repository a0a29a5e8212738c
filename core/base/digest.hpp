// SHA-256 (OpenSSL) as lower-case hex. The only reason why base/ links a library.
#pragma once

#include <string>
#include <string_view>

namespace drill {

[[nodiscard]] std::string sha256_hex(std::string_view bytes);

}  // namespace drill
