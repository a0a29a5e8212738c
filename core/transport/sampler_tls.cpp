// See sampler_tls.hpp.
#include "transport/sampler_tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

namespace drill::sampling {

struct TlsAsker::Context {
    SSL_CTX* ctx{nullptr};
    std::string problem;

    explicit Context(const std::string& ca) {
        ctx = SSL_CTX_new(TLS_client_method());
        if (ctx == nullptr) {
            problem = "OpenSSL could not be started";
            return;
        }
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
        const int loaded = ca.empty() ? SSL_CTX_set_default_verify_paths(ctx)
                                      : SSL_CTX_load_verify_locations(ctx, ca.c_str(), nullptr);
        if (loaded != 1) { problem = "authorities cannot be read: " + ca; }
        ERR_clear_error();
    }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    ~Context() { SSL_CTX_free(ctx); }
};

namespace {

Answer not_asked(std::string problem) {
    Answer answer;
    answer.problem = std::move(problem);
    return answer;
}

Answer problem(std::string why) {
    Answer answer = not_asked(std::move(why));
    answer.asked = true;
    return answer;
}

/// Whole days until a certificate expires; negative when it has.
std::optional<int> days_left(const X509* certificate) {
    int days = 0;
    int seconds = 0;
    if (certificate == nullptr ||
        ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate)) != 1) {
        return std::nullopt;
    }
    return seconds < 0 ? days - 1 : days;
}

class TlsTalk : public Talk {
public:
    TlsTalk(TlsQuestion question, std::vector<Address> addresses,
            std::shared_ptr<TlsAsker::Context> context)
        : question_(std::move(question)),
          context_(std::move(context)),
          dial_(std::move(addresses)) {}
    TlsTalk(const TlsTalk&) = delete;
    TlsTalk& operator=(const TlsTalk&) = delete;
    ~TlsTalk() override { SSL_free(ssl_); }

    std::optional<Answer> advance(Want& want) override {
        if (!context_->problem.empty()) { return not_asked(context_->problem); }
        if (ssl_ == nullptr) {
            const Dial::State state = dial_.advance();
            if (state == Dial::State::failed) { return failed_with(dial_.error()); }
            if (state == Dial::State::waiting) {
                want = {dial_.socket().get(), EPOLLOUT, true};
                return std::nullopt;
            }
            if (!prepare()) { return not_asked("OpenSSL took no further connection"); }
        }
        ERR_clear_error();  // the queue belongs to the thread, not to the connection
        errno = 0;
        const int done = SSL_do_handshake(ssl_);
        const int saved = errno;
        if (done == 1) { return shown(); }
        switch (SSL_get_error(ssl_, done)) {
            case SSL_ERROR_WANT_READ: want = {dial_.socket().get(), EPOLLIN, false}; break;
            case SSL_ERROR_WANT_WRITE: want = {dial_.socket().get(), EPOLLOUT, false}; break;
            default: return broken(saved);
        }
        return std::nullopt;
    }

private:
    bool prepare() {
        ssl_ = SSL_new(context_->ctx);
        if (ssl_ == nullptr || SSL_set_fd(ssl_, dial_.socket().get()) != 1) { return false; }
        SSL_set_connect_state(ssl_);
        X509_VERIFY_PARAM* verify = SSL_get0_param(ssl_);
        X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        const bool address = numeric_address(question_.name, 0).has_value();
        const int named = address ? X509_VERIFY_PARAM_set1_ip_asc(verify, question_.name.c_str())
                                  : SSL_set1_host(ssl_, question_.name.c_str());
        // An address has no place in SNI (RFC 6066).
        if (named != 1 ||
            (!address && SSL_ctrl(ssl_, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                                  question_.name.data()) != 1)) {
            return false;
        }
        std::string wire;
        for (const std::string& protocol : question_.alpn) {
            wire += static_cast<char>(protocol.size());
            wire += protocol;
        }
        const auto* bytes = reinterpret_cast<const unsigned char*>(wire.data());
        return wire.empty() ||
               SSL_set_alpn_protos(ssl_, bytes, static_cast<unsigned>(wire.size())) == 0;
    }

    Answer broken(int saved) {
        const long verified = SSL_get_verify_result(ssl_);
        if (verified != X509_V_OK) {
            return problem(std::string("certificate: ") + X509_verify_cert_error_string(verified));
        }
        const unsigned long error = ERR_get_error();
        const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
        if (error != 0 && ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
            return problem("the server closed the connection during the handshake");
        }
        if (reason != nullptr) { return problem(std::string("handshake: ") + reason); }
        if (saved != 0) { return failed_with(saved); }
        return problem("the server closed the connection during the handshake");
    }

    Answer shown() {
        Answer answer;
        answer.asked = true;
        STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl_);
        std::optional<int> soonest;
        for (int i = 0; i < sk_X509_num(chain); ++i) {
            const std::optional<int> days = days_left(sk_X509_value(chain, i));
            if (!days) { return problem("the end of a certificate cannot be read"); }
            soonest = soonest ? std::min(*soonest, *days) : *days;
        }
        if (!soonest) { return problem("the server showed no certificate"); }
        answer.status = *soonest;
        answer.body = SSL_get_version(ssl_);
        const unsigned char* protocol = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(ssl_, &protocol, &size);
        answer.values = {size == 0 ? std::string()
                                   : std::string(reinterpret_cast<const char*>(protocol), size)};
        SSL_set_quiet_shutdown(ssl_, 1);
        return answer;
    }

    TlsQuestion question_;
    std::shared_ptr<TlsAsker::Context> context_;
    Dial dial_;
    SSL* ssl_{nullptr};
};

}  // namespace

TlsAsker::TlsAsker() = default;
TlsAsker::~TlsAsker() = default;

std::unique_ptr<Talk> TlsAsker::talk(const TlsQuestion& question, std::vector<Address> addresses) {
    std::shared_ptr<Context>& context = contexts_[question.ca];
    // Tried anew after a failure: the file may be there by now.
    if (!context || !context->problem.empty()) { context = std::make_shared<Context>(question.ca); }
    return std::make_unique<TlsTalk>(question, std::move(addresses), context);
}

}  // namespace drill::sampling
