// The verbs, one file each (cmd_<verb>.cpp). Each returns the exit code.
#pragma once

#include "cli/console.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace drill::cli {

struct PlanOptions {
    std::string file, output, diff;
    bool verbose{false};
    std::optional<std::uint64_t> seed;
};
struct RunOptions {
    std::string file, confirm, reason;
    std::string hold;      ///< a step that is held until Enter
    bool rehearse{false};  ///< everything but the faults
    std::optional<std::uint64_t> seed;
};
struct ShowOptions {
    std::string run;
    bool events{false};
    bool json{false};
};
struct UndoOptions {
    std::string target, step;
};
struct HaltOptions {
    std::string run, reason;
    bool all{false};
};
struct NoteOptions {
    std::string run, text;
};
struct CloseOptions {
    std::string lease, reason;
};
struct ReportOptions {
    std::string run, junit;
    std::string format{"text"};  ///< text or json
};
struct TrustOptions {
    std::vector<std::string> hosts;
    std::string fingerprint;
    bool replace{false};
};

struct DoctorOptions {
    std::vector<std::string> hosts;  ///< names of the catalog; empty = all
    std::vector<std::string> kinds;  ///< empty = all that there are
    std::string format{"human"};
    bool sudoers{false};
    bool verbose{false};
};

int doctor(const Globals& globals, const DoctorOptions& options);
/// `from` is "", "ssh-config" or "ansible:FILE".
int init(const Globals& globals, const std::string& from);
/// `format`: human, json, github or sarif.
int validate(const Globals& globals, const std::vector<std::string>& files,
             const std::string& format);
int plan(const Globals& globals, const PlanOptions& options);
int run(const Globals& globals, const RunOptions& options);
int undo(const Globals& globals, const UndoOptions& options);
int halt(const Globals& globals, const HaltOptions& options);
int unblock(const Globals& globals);
int watch(const Globals& globals, const std::string& run);
int note(const Globals& globals, const NoteOptions& options);
int close_lease(const Globals& globals, const CloseOptions& options);
int sweep(const Globals& globals, const std::vector<std::string>& hosts);
int ls(const Globals& globals);
int show(const Globals& globals, const ShowOptions& options);
int trust(const Globals& globals, const TrustOptions& options);
int explain(const Globals& globals, const std::string& word);  ///< "" = the list of topics
int report(const Globals& globals, const ReportOptions& options);
int schema(const Globals& globals, const std::string& file);  ///< "experiment" or "catalog"
int verify(const Globals& globals, const std::string& run);   ///< "" = every run

}  // namespace drill::cli
