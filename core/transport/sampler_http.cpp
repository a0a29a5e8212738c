// See sampler_http.hpp.
#include "transport/sampler_http.hpp"

#include "base/text.hpp"
#include "transport/wait.hpp"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace drill::sampling {

namespace {

constexpr std::size_t most_headers = 200;

/// One question; handles are used again, which curl documents as cheaper than new ones.
struct Transfer {
    CURL* easy{nullptr};
    curl_slist* headers{nullptr};
    std::uint64_t token{0};
    std::string body, sent_body;
    bool capped{false};
    int socket_error{0};
    const TransactionQuestion* transaction{nullptr};
    std::size_t step{0};
    Nanos limit{0};
    std::vector<std::pair<std::string, std::string>> seen_headers;
    std::map<std::string, std::string> taken;
    char error[CURL_ERROR_SIZE]{};

    Transfer() = default;
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;
    ~Transfer() {
        curl_slist_free_all(headers);
        if (easy != nullptr) { curl_easy_cleanup(easy); }
    }
};

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* user) {
    auto* transfer = static_cast<Transfer*>(user);
    const std::size_t bytes = size * count;
    const std::size_t room = body_limit - transfer->body.size();
    transfer->body.append(data, std::min(bytes, room));
    if (bytes <= room) { return bytes; }
    transfer->capped = true;
    return CURL_WRITEFUNC_ERROR;  // enough was seen; the rest is not read
}

/// Lines of the answer, for what a transaction takes out of them; a new status line begins anew.
std::size_t take_header(char* data, std::size_t size, std::size_t count, void* user) {
    auto* transfer = static_cast<Transfer*>(user);
    const std::string_view line(data, size * count);
    const std::size_t colon = line.find(':');
    if (line.starts_with("HTTP/")) {
        transfer->seen_headers.clear();
    } else if (colon != std::string_view::npos && transfer->seen_headers.size() < most_headers) {
        transfer->seen_headers.emplace_back(line.substr(0, colon), trim(line.substr(colon + 1)));
    }
    return size * count;
}

/// Made here to learn the error number, which libcurl does not tell.
curl_socket_t open_socket(void* user, curlsocktype /*purpose*/, curl_sockaddr* address) {
    const int fd = ::socket(address->family, address->socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                            address->protocol);
    if (fd < 0) { static_cast<Transfer*>(user)->socket_error = errno; }
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

int watch_socket(CURL* /*easy*/, curl_socket_t fd, int what, void* user, void* /*of_socket*/) {
    const int epoll = *static_cast<int*>(user);
    epoll_event event{};
    event.data.u64 = mark(Source::curl, static_cast<std::uint64_t>(fd));
    if (what == CURL_POLL_REMOVE) {
        ::epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &event);
        return 0;
    }
    event.events = 0;
    if ((what & CURL_POLL_IN) != 0) { event.events |= EPOLLIN; }
    if ((what & CURL_POLL_OUT) != 0) { event.events |= EPOLLOUT; }
    if (::epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0) { return 0; }
    return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -1;
}

bool start_curl() {
    static std::once_flag once;  // libcurl asks for one initialisation per process
    static CURLcode result = CURLE_OK;
    std::call_once(once, [] { result = curl_global_init(CURL_GLOBAL_DEFAULT); });
    return result == CURLE_OK;
}

/// False when memory ran out or this libcurl does not know an option.
bool add_headers(Transfer& transfer, const HttpQuestion& question) {
    std::vector<std::string> lines{"Expect:"};  // no waiting for "100 Continue"
    bool closes = false;
    for (const auto& [name, value] : question.headers) {
        // A header without a value would be left out by curl unless it ends in a semicolon.
        std::string& line = lines.emplace_back(name);
        value.empty() ? line.append(";") : line.append(": ").append(value);
        closes = closes || name == "Connection";
    }
    // The server closes first: its side keeps the TIME_WAIT, and our ports do not run out.
    if (!closes) { lines.emplace_back("Connection: close"); }
    for (const std::string& line : lines) {
        curl_slist* longer = curl_slist_append(transfer.headers, line.c_str());
        if (longer == nullptr) { return false; }
        transfer.headers = longer;
    }
    return true;
}

template <class T>
void set(CURLcode& worst, CURL* easy, CURLoption option, T value) {
    if (worst == CURLE_OK) { worst = curl_easy_setopt(easy, option, value); }
}

CURLcode prepare(Transfer& transfer, const HttpQuestion& question, Nanos limit) {
    CURL* easy = transfer.easy;
    CURLcode worst = add_headers(transfer, question) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
    const auto limit_ms = std::chrono::ceil<std::chrono::milliseconds>(limit).count();
    set(worst, easy, CURLOPT_URL, question.url.c_str());
    set(worst, easy, CURLOPT_PROTOCOLS_STR, "http,https");
    set(worst, easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
    set(worst, easy, CURLOPT_HTTPHEADER, transfer.headers);
    set(worst, easy, CURLOPT_USERAGENT, "drill/" DRILL_VERSION);
    set(worst, easy, CURLOPT_NOPROXY, "*");
    set(worst, easy, CURLOPT_PROXY, "");
    set(worst, easy, CURLOPT_NETRC, long{CURL_NETRC_IGNORED});
    set(worst, easy, CURLOPT_FOLLOWLOCATION, 0L);
    set(worst, easy, CURLOPT_FRESH_CONNECT, 1L);
    set(worst, easy, CURLOPT_FORBID_REUSE, 1L);
    set(worst, easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    set(worst, easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    set(worst, easy, CURLOPT_SSL_VERIFYPEER, 1L);
    set(worst, easy, CURLOPT_SSL_VERIFYHOST, 2L);
    set(worst, easy, CURLOPT_NOSIGNAL, 1L);
    set(worst, easy, CURLOPT_QUICK_EXIT, 1L);  // or a drop waits for the resolver's thread
    set(worst, easy, CURLOPT_TIMEOUT_MS, static_cast<long>(limit_ms));
    set(worst, easy, CURLOPT_ERRORBUFFER, &transfer.error[0]);
    set(worst, easy, CURLOPT_PRIVATE, &transfer);
    set(worst, easy, CURLOPT_WRITEFUNCTION, &take_body);
    set(worst, easy, CURLOPT_WRITEDATA, &transfer);
    set(worst, easy, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
    set(worst, easy, CURLOPT_OPENSOCKETDATA, &transfer);
    if (transfer.transaction != nullptr) {
        set(worst, easy, CURLOPT_COOKIEFILE, "");  // the engine, without a file
        set(worst, easy, CURLOPT_HEADERFUNCTION, &take_header);
        set(worst, easy, CURLOPT_HEADERDATA, &transfer);
    }
    if (question.method == "HEAD") { set(worst, easy, CURLOPT_NOBODY, 1L); }
    if (!question.body.empty() || question.method == "POST") {
        transfer.sent_body = question.body;  // curl keeps the pointer
        set(worst, easy, CURLOPT_POSTFIELDSIZE_LARGE,
            static_cast<curl_off_t>(transfer.sent_body.size()));
        set(worst, easy, CURLOPT_POSTFIELDS, transfer.sent_body.c_str());
    }
    if (question.method != "HEAD") {
        set(worst, easy, CURLOPT_CUSTOMREQUEST, question.method.c_str());
    }
    return worst;
}

Answer not_asked(std::string problem) {
    Answer answer;
    answer.problem = std::move(problem);
    return answer;
}

Answer answer_of(const Transfer& transfer, CURLcode code) {
    Answer answer;
    answer.asked = true;
    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && transfer.capped)) {
        long status = 0;
        curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
        answer.status = static_cast<int>(status);
        answer.body = transfer.body;
        return answer;
    }
    if (transfer.socket_error != 0) { return failed_with(transfer.socket_error); }
    const std::string said = transfer.error[0] != '\0' ? std::string(&transfer.error[0])
                                                       : std::string(curl_easy_strerror(code));
    switch (code) {
        case CURLE_OPERATION_TIMEDOUT: answer.timed_out = true; return answer;
        case CURLE_OUT_OF_MEMORY:
        case CURLE_FAILED_INIT:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CERTPROBLEM: return not_asked(said);
        case CURLE_COULDNT_RESOLVE_HOST:
            if (out_of_descriptors()) { return not_asked("no descriptors left"); }
            break;
        case CURLE_COULDNT_CONNECT: {
            long error = 0;
            curl_easy_getinfo(transfer.easy, CURLINFO_OS_ERRNO, &error);
            if (error != 0) { return failed_with(static_cast<int>(error)); }
            break;
        }
        default: break;
    }
    answer.problem = said;
    return answer;
}

}  // namespace

struct HttpAsker::Parts {
    int epoll;
    Clock& clock;
    CURLM* multi{nullptr};
    std::optional<Nanos> due;
    std::unordered_map<std::uint64_t, std::unique_ptr<Transfer>> open;
    std::vector<std::unique_ptr<Transfer>> idle;

    Parts(int epoll_fd, Clock& with) : epoll(epoll_fd), clock(with) {}
    Parts(const Parts&) = delete;
    Parts& operator=(const Parts&) = delete;
    ~Parts() {
        for (const auto& [token, transfer] : open) {
            curl_multi_remove_handle(multi, transfer->easy);
        }
        open.clear();
        idle.clear();
        if (multi != nullptr) { curl_multi_cleanup(multi); }
    }

    static int set_timer(CURLM* /*multi*/, long timeout_ms, void* user) {
        auto* parts = static_cast<Parts*>(user);
        parts->due.reset();
        if (timeout_ms >= 0) {
            parts->due = parts->clock.now().boot + std::chrono::milliseconds(timeout_ms);
        }
        return 0;
    }

    [[nodiscard]] std::unique_ptr<Transfer> take_idle() {
        std::unique_ptr<Transfer> transfer;
        if (idle.empty()) {
            transfer = std::make_unique<Transfer>();
            transfer->easy = curl_easy_init();
        } else {
            transfer = std::move(idle.back());
            idle.pop_back();
        }
        return transfer;
    }

    /// Ready for another request; cookies stay in the handle.
    static void clear(Transfer& transfer) {
        curl_easy_reset(transfer.easy);
        curl_slist_free_all(transfer.headers);
        transfer.headers = nullptr;
        transfer.body.clear();
        transfer.capped = false;
        transfer.socket_error = 0;
        transfer.error[0] = '\0';
    }

    void put_idle(std::unique_ptr<Transfer> transfer) {
        if (transfer->transaction != nullptr) { return; }  // its cookies end with it
        clear(*transfer);
        idle.push_back(std::move(transfer));
    }

    /// Goes on with a transaction whose step has ended: true when its next request is under way,
    /// else `answer` says how it ended.
    bool next_step(Transfer& transfer, Answer& answer) {
        const TransactionQuestion& question = *transfer.transaction;
        const std::string place = "step " + question.steps[transfer.step].name;
        if (!answer.asked || answer.timed_out || !answer.problem.empty()) {
            answer.problem = answer.problem.empty() ? place : place + ": " + answer.problem;
            return false;
        }
        const HttpSeen seen{answer.status, transfer.body, std::move(transfer.seen_headers)};
        HttpTurn turn = question.turn(question, transfer.step, seen, transfer.taken);
        answer.problem = std::move(turn.problem);
        if (!turn.next) { return false; }
        ++transfer.step;
        clear(transfer);
        transfer.seen_headers.clear();
        const CURLcode prepared = prepare(transfer, *turn.next, transfer.limit);
        if (prepared == CURLE_OK && curl_multi_add_handle(multi, transfer.easy) == CURLM_OK) {
            return true;
        }
        answer = not_asked("libcurl took no further request");
        return false;
    }

    void collect(Ends& ends) {
        int left = 0;
        while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
            if (message->msg != CURLMSG_DONE) { continue; }
            const CURLcode code = message->data.result;  // the message dies with the handle
            char* user = nullptr;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &user);
            const std::uint64_t token = reinterpret_cast<Transfer*>(user)->token;
            const Nanos received = clock.now().boot;
            const auto found = open.find(token);
            if (found == open.end()) { continue; }
            Answer answer = answer_of(*found->second, code);
            curl_multi_remove_handle(multi, found->second->easy);
            if (found->second->transaction != nullptr && next_step(*found->second, answer)) {
                continue;
            }
            ends.push_back({token, std::move(answer), received});
            put_idle(std::move(found->second));
            open.erase(found);
        }
    }

    void begin(std::uint64_t token, const HttpQuestion& question,
               const TransactionQuestion* transaction, Nanos limit, Ends& ends) {
        const auto refuse = [&](const char* why) {
            ends.push_back({token, not_asked(why), clock.now().boot});
        };
        if (multi == nullptr) { return refuse("libcurl could not be started"); }
        std::unique_ptr<Transfer> transfer = take_idle();
        if (transfer->easy == nullptr) { return refuse("out of memory"); }
        transfer->token = token;
        transfer->transaction = transaction;
        transfer->limit = limit;
        const CURLcode prepared = prepare(*transfer, question, limit);
        if (prepared != CURLE_OK) {
            put_idle(std::move(transfer));
            return refuse(curl_easy_strerror(prepared));
        }
        CURL* easy = transfer->easy;
        open.emplace(token, std::move(transfer));
        if (curl_multi_add_handle(multi, easy) != CURLM_OK) {
            open.erase(token);
            return refuse("libcurl took no further question");
        }
        act(CURL_SOCKET_TIMEOUT, 0, ends);  // begins the connection now, not at the next turn
    }

    void act(curl_socket_t socket, int events, Ends& ends) {
        int running = 0;
        curl_multi_socket_action(multi, socket, events, &running);
        collect(ends);
    }
};

HttpAsker::HttpAsker(int epoll, Clock& clock) : parts_(std::make_unique<Parts>(epoll, clock)) {
    if (!start_curl()) { return; }
    CURLM* multi = curl_multi_init();
    parts_->multi = multi;
    if (multi == nullptr) { return; }
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &watch_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, &parts_->epoll);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &Parts::set_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, parts_.get());
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, long{CURLPIPE_NOTHING});
}

HttpAsker::~HttpAsker() = default;

void HttpAsker::begin(std::uint64_t token, const HttpQuestion& question, Nanos limit, Ends& ends) {
    parts_->begin(token, question, nullptr, limit, ends);
}

void HttpAsker::begin(std::uint64_t token, const TransactionQuestion& question, Nanos limit,
                      Ends& ends) {
    parts_->begin(token, question.steps.front().ask, &question, limit, ends);
}

std::string HttpAsker::stage(std::uint64_t token) const {
    const auto found = parts_->open.find(token);
    if (found == parts_->open.end() || found->second->transaction == nullptr) { return ""; }
    return "step " + found->second->transaction->steps[found->second->step].name;
}

void HttpAsker::ready(int socket, std::uint32_t epoll_events, Ends& ends) {
    int events = 0;
    if ((epoll_events & EPOLLIN) != 0) { events |= CURL_CSELECT_IN; }
    if ((epoll_events & EPOLLOUT) != 0) { events |= CURL_CSELECT_OUT; }
    if ((epoll_events & (EPOLLERR | EPOLLHUP)) != 0) { events |= CURL_CSELECT_ERR; }
    parts_->act(socket, events, ends);
}

std::optional<Nanos> HttpAsker::due() const { return parts_->due; }

void HttpAsker::expire(Ends& ends) {
    parts_->due.reset();  // set anew by the call where something is left to wait for
    parts_->act(CURL_SOCKET_TIMEOUT, 0, ends);
}

Nanos HttpAsker::drop(std::uint64_t token) {
    const auto found = parts_->open.find(token);
    if (found == parts_->open.end()) { return Nanos{0}; }
    curl_off_t connected = 0;
    curl_off_t asked = 0;
    curl_easy_getinfo(found->second->easy, CURLINFO_CONNECT_TIME_T, &connected);
    curl_easy_getinfo(found->second->easy, CURLINFO_PRETRANSFER_TIME_T, &asked);
    curl_multi_remove_handle(parts_->multi, found->second->easy);
    parts_->put_idle(std::move(found->second));
    parts_->open.erase(found);
    if (asked > 0) { return std::chrono::microseconds{asked}; }
    return connected > 0 ? Nanos::max() : Nanos{0};
}

void HttpAsker::drop_all() {
    while (!parts_->open.empty()) { drop(parts_->open.begin()->first); }
}

}  // namespace drill::sampling
