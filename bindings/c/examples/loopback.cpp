// loopback.c once more, in C++17 without exceptions:
//     c++ -std=c++17 -fno-exceptions loopback.cpp $(pkg-config --cflags --libs underpass) -o loopback++ && ./loopback++
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <underpass.hpp>

namespace {

constexpr underpass::Instant now = 1'000'000'000; // time stands still in this world
constexpr underpass::WallTime wall = 1'800'000'000'000'000'000;
int delivered = 0;

template <class R> auto must(R &&result) {
    if (result) return *std::forward<R>(result);
    std::fprintf(stderr, "loopback++: %s\n", result.status().message());
    std::exit(1);
}

void must(underpass::Status status) {
    if (status) return;
    std::fprintf(stderr, "loopback++: %s\n", status.message());
    std::exit(1);
}

struct Side {
    const char *name;
    std::uint8_t number; // inside it is 10.0.0.number, outside 192.0.2.number
    underpass::Tunnel tunnel;
};

underpass::Tunnel make(std::uint8_t number, const underpass::SecretKey &own, const underpass::PublicKey &other) {
    auto options = underpass::default_options();
    options.flags |= UNDERPASS_OPTION_PRIVATE_KEY;
    std::memcpy(options.private_key, own.data(), own.size());
    auto tunnel = must(underpass::Tunnel::create(options, now, wall));
    underpass_wipe(&options, sizeof options);

    const auto their_number = static_cast<std::uint8_t>(!number);
    underpass::AllowedIp allowed[] = {{{UNDERPASS_FAMILY_IPV4, 32, {}, {10, 0, 0, their_number}}, 0}};
    auto peer = underpass::peer_change();
    std::copy(other.begin(), other.end(), peer.public_key);
    peer.flags = UNDERPASS_PEER_HAS_ENDPOINT;
    peer.endpoint = {UNDERPASS_FAMILY_IPV4, 0, 7, 0, {192, 0, 2, their_number}};
    peer.allowed_ips = allowed;
    peer.allowed_ips_len = std::size(allowed);
    must(tunnel.configure_peers(now, {&peer, 1}));
    return tunnel;
}

/// The network: a datagram of `from` arrives at `to`.
void arrive(Side &to, const Side &from, underpass::View<std::uint8_t> datagram) {
    underpass::Slot slots[1]{};
    slots[0].buf = datagram.data();
    slots[0].cap = slots[0].len = static_cast<std::uint32_t>(datagram.size());
    slots[0].path.remote = {UNDERPASS_FAMILY_IPV4, 0, 7, 0, {192, 0, 2, from.number}};
    must(to.tunnel.handle_datagrams(now, slots));
    if (slots[0].verdict != UNDERPASS_VERDICT_DELIVER) return;
    const auto *text = reinterpret_cast<const char *>(slots[0].buf + slots[0].start + 20);
    std::printf("%s delivers a packet: %.*s\n", to.name, static_cast<int>(slots[0].len) - 20, text);
    delivered++;
}

/// Sends what the tunnel sends by itself: handshakes, and packets that waited for one.
bool drain(Side &from, Side &to) {
    std::array<std::uint8_t, UNDERPASS_HEADROOM + 1420 + UNDERPASS_TAILROOM> datagram;
    bool any = false;
    while (auto transmit = from.tunnel.poll_transmit(now, datagram)) {
        arrive(to, from, {datagram.data(), transmit->len});
        any = true;
    }
    while (auto event = from.tunnel.poll_event())
        if (event->kind == UNDERPASS_EVENT_SESSION_ESTABLISHED) std::printf("%s has a session\n", from.name);
    return any;
}

void send_packet(Side &from, Side &to, const std::string &text) {
    std::array<std::uint8_t, 256> buf{};
    const std::uint8_t header[20] = {0x45, 0, 0, static_cast<std::uint8_t>(20 + text.size()), 0, 0, 0, 0, 64, 253, 0, 0,
                                     10, 0, 0, from.number, 10, 0, 0, to.number};
    underpass::Slot slots[1]{};
    slots[0].buf = buf.data();
    slots[0].cap = static_cast<std::uint32_t>(buf.size());
    slots[0].start = UNDERPASS_HEADROOM;
    slots[0].len = header[3];
    std::copy(std::begin(header), std::end(header), buf.begin() + UNDERPASS_HEADROOM);
    std::copy(text.begin(), text.end(), buf.begin() + UNDERPASS_HEADROOM + sizeof header);
    must(from.tunnel.handle_packets(now, slots));
    if (slots[0].verdict == UNDERPASS_VERDICT_SEND) arrive(to, from, {slots[0].buf + slots[0].start, slots[0].len});
    while (drain(from, to) || drain(to, from)) {}
}

} // namespace

int main() {
    const auto left_key = must(underpass::SecretKey::generate_private());
    const auto right_key = must(underpass::SecretKey::generate_private());
    Side left{"left", 0, make(0, left_key, must(right_key.public_key()))};
    Side right{"right", 1, make(1, right_key, must(left_key.public_key()))};
    send_packet(left, right, "hello");
    send_packet(right, left, "hello yourself");
    return delivered == 2 ? 0 : 1;
}
