// Enter on the terminal ends a hold (`drill run --hold STEP`): a thread that reads standard input.
// Must not: be used where there is no terminal; ask `has_person` first. Next: cmd_run.cpp.
#pragma once

#include "transport/transport.hpp"

#include <string>
#include <thread>

namespace drill::cli {

/// Standard input is a terminal, and this process is in its foreground.
[[nodiscard]] bool has_person();

class EnterWatch {
public:
    /// What was typed before is thrown away. Each line posts HoldEnded, and so does the end of the
    /// input: nobody is left to press Enter. `step` empty: does nothing.
    EnterWatch(std::string step, Mailbox& mailbox);
    EnterWatch(const EnterWatch&) = delete;
    EnterWatch& operator=(const EnterWatch&) = delete;
    ~EnterWatch();

private:
    void serve(const std::stop_token& stop);
    std::string step_;
    Mailbox& mailbox_;
    std::jthread thread_;
};

}  // namespace drill::cli
