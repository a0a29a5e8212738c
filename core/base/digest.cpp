// See digest.hpp.
#include "base/digest.hpp"

#include "base/result.hpp"

#include <openssl/evp.h>

namespace drill {

namespace {

/// Looking the algorithm up costs more than hashing a short text, so it is done once a thread.
class Hasher {
public:
    Hasher() : algorithm_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {
        DRILL_ASSERT(algorithm_ != nullptr && context_ != nullptr);
    }
    Hasher(const Hasher&) = delete;
    Hasher& operator=(const Hasher&) = delete;
    ~Hasher() {
        EVP_MD_CTX_free(context_);
        EVP_MD_free(algorithm_);
    }
    void digest(std::string_view bytes, unsigned char* out, unsigned int& length) {
        DRILL_ASSERT(EVP_DigestInit_ex2(context_, algorithm_, nullptr) == 1 &&
                     EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1 &&
                     EVP_DigestFinal_ex(context_, out, &length) == 1);
    }

private:
    EVP_MD* algorithm_;
    EVP_MD_CTX* context_;
};

}  // namespace

std::string sha256_hex(std::string_view bytes) {
    thread_local Hasher hasher;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    hasher.digest(bytes, digest, length);
    static constexpr char hex[] = "0123456789abcdef";
    std::string text;
    text.reserve(std::size_t{2} * length);
    for (unsigned int i = 0; i < length; ++i) {
        text += hex[digest[i] >> 4U];
        text += hex[digest[i] & 15U];
    }
    return text;
}

}  // namespace drill
