// The reading side of the inbox while a run goes on: a thread posts each letter as news; when its
// event was shown, the letter is removed, which is the answer that `drill halt` waits for.
// Must not: obey anything itself. Next: core/ledger/inbox.hpp, cmd_halt.cpp.
#pragma once

#include "transport/transport.hpp"

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace drill::cli {

class InboxWatch {
public:
    /// Posts to `mailbox` until destroyed. Makes no directory and needs none.
    InboxWatch(std::string state, std::string run, Mailbox& mailbox);
    InboxWatch(const InboxWatch&) = delete;
    InboxWatch& operator=(const InboxWatch&) = delete;
    ~InboxWatch();
    /// An event was committed (or its commit tried) and obeyed: its letter is answered.
    void shown(const Event& event) const;

private:
    void serve(const std::stop_token& stop);
    std::string state_, run_;
    Mailbox& mailbox_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread thread_;
};

}  // namespace drill::cli
