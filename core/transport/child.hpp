// Child processes of the controller by Boost.Process v2: started in a session of their own, ended
// with their whole group. Must not: wait without a bound. Read next: transport/local.cpp,
// transport/openssh_master.cpp.
#pragma once

#include "base/result.hpp"
#include "transport/wait.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace drill {

struct Child {
    pid_t pid{-1};
    Fd pidfd;  ///< readable once it has ended
};

enum class Bond : unsigned char {
    none,
    thread,  ///< it gets TERM when the thread that started it ends, however that comes
};

struct ChildStart {
    std::string program;  ///< a path
    std::vector<std::string> arguments;
    std::vector<std::string> environment;
    int in, out, err;
    Bond bond{Bond::none};
};

/// Signals are reset and unblocked, no other descriptor is inherited, there is no terminal.
[[nodiscard]] Result<Child> start_child(const ChildStart& start);
/// The wait status, once pidfd is readable. -1 when somebody else reaped it.
[[nodiscard]] int reap_child(const Child& child);
/// TERM, a quarter of a second later KILL, to the whole group, and reaps. At most 0.75 s.
void end_group(const Child& child);
/// The same with KILL at once.
void kill_group(const Child& child);

/// The path of a program, "" when there is none. Only root's own directories are searched.
[[nodiscard]] std::string find_program(const std::string& name);

}  // namespace drill
