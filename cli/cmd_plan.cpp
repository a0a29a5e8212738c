// drill plan FILE: resolves, asks the hosts read-only questions, composes every change and shows
// it. Changes nothing. -o writes the plan that `run` executes, --diff compares with an older one.
#include "base/text.hpp"
#include "cli/session.hpp"
#include "cli/verbs.hpp"
#include "model/json.hpp"
#include "plan/render.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

namespace drill::cli {

namespace {

/// Written aside, synced, renamed: a plan on disk is whole or not there.
Status write_file(const std::string& path, const std::string& text) {
    const std::string aside = path + ".new";
    const int fd = open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return fail(Code::internal, "cannot write " + aside + ": " + std::strerror(errno));
    }
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t n = write(fd, text.data() + done, text.size() - done);
        if (n <= 0) { break; }
        done += static_cast<std::size_t>(n);
    }
    const bool good = done == text.size() && fsync(fd) == 0;
    const int why = errno;
    close(fd);
    if (!good || rename(aside.c_str(), path.c_str()) != 0) {
        unlink(aside.c_str());
        return fail(Code::no_space, "cannot write " + path + ": " + std::strerror(why));
    }
    return ok();
}

}  // namespace

int plan(const Globals& globals, const PlanOptions& options) {
    std::optional<Plan> before;
    if (!options.diff.empty()) {
        std::ifstream in(options.diff, std::ios::binary);
        std::stringstream text;
        text << in.rdbuf();
        Result<Plan> old = plan_from_json(text.str());
        if (!in || !old) {
            complain(
                options.diff +
                (in ? " is not a plan: " + old.error().text() : std::string(" cannot be read")) +
                "; --diff takes what `drill plan FILE -o NAME` wrote");
            return exit_usage;
        }
        before = *std::move(old);
    }
    Signals signals;
    Fleet fleet;
    signals.listen(fleet.mailbox, {});
    int exit = exit_ok;
    const std::optional<Planned> planned =
        plan_live(globals, fleet, options.file, options.seed, exit);
    if (!planned) { return exit; }
    if (before) {
        const std::string difference = diff_plans(*before, planned->plan);
        print(difference.empty() ? "no difference: plan " + planned->plan.hash + "\n" : difference);
    } else {
        const PageStyle style = page_style(globals);
        print(render_plan(planned->plan, {.verbose = options.verbose,
                                          .width = style.width,
                                          .color = style.color,
                                          .ascii = style.ascii,
                                          .file = options.output,
                                          .of_plan = is_plan_file(options.file),
                                          .source = options.file}));
    }
    if (!options.output.empty()) {
        if (const Status written =
                write_file(options.output, plan_to_json(planned->plan, Hash::with) + "\n");
            !written) {
            complain(written.error());
            return exit_internal;
        }
        progress("plan " + planned->plan.hash.substr(0, 12) + " is in " + options.output);
    }
    return exit_ok;
}

}  // namespace drill::cli
