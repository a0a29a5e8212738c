// See turn_writer.hpp.
#include "engine/turn_writer.hpp"

#include "base/ids.hpp"

#include <algorithm>

namespace drill {

std::string TurnWriter::letters(std::size_t count) {
    static constexpr char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    std::string text;
    while (text.size() < count) { text += alphabet[random_.below(36)]; }
    return text;
}

std::string TurnWriter::nonce() { return letters(nonce_length); }
std::string TurnWriter::lease_id() { return letters(lease_id_length); }

std::uint64_t TurnWriter::send(const Connection& to, Envelope envelope, Nanos timeout,
                               Urgency urgency, bool fresh) {
    envelope.nonce = nonce();
    const std::uint64_t id = next_order_++;
    turn_.orders.push_back(Order{.id = id,
                                 .to = to,
                                 .action = std::move(envelope),
                                 .deadline = now_.boot + timeout,
                                 .urgency = urgency,
                                 .fresh = fresh});
    return id;
}

void TurnWriter::wake_at(Nanos when) {
    turn_.wake_at = turn_.wake_at ? std::min(*turn_.wake_at, when) : when;
}

void TurnWriter::tell(Note note) {
    turn_.events.push_back(Event{.at = now_,
                                 .type = std::move(note.type),
                                 .step = std::move(note.step),
                                 .host = std::move(note.host),
                                 .lease = std::move(note.lease),
                                 .message = std::move(note.message),
                                 .data = std::move(note.data),
                                 .personal = std::move(note.personal)});
}

}  // namespace drill
