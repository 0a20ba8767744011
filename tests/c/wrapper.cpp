// include/underpass.hpp: handles that move and free themselves, errors that are values, without exceptions and RTTI.
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <underpass.hpp>
#include <utility>

#include "scene.h"

namespace {

using underpass::Config;
using underpass::Result;
using underpass::SecretKey;
using underpass::SecretText;
using underpass::Status;
using underpass::Tunnel;

template <class T> constexpr bool is_move_only =
    std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> && !std::is_copy_constructible_v<T>
    && !std::is_copy_assignable_v<T>;
static_assert(is_move_only<Tunnel> && is_move_only<Config> && is_move_only<SecretText>);
static_assert(sizeof(Tunnel) == sizeof(void *) && sizeof(Config) == sizeof(void *));
static_assert(!std::is_default_constructible_v<Tunnel> && !std::is_convertible_v<Status, bool>);

constexpr std::string_view configuration =
    "[Interface]\nPrivateKey = AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\nMTU = 1400\nDNS = 192.0.2.53, corp.example\n"
    "[Peer]\nPublicKey = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\nAllowedIPs = 10.2.0.0/16, fd00::/8\n"
    "Endpoint = vpn.example.com:4500\n";

Tunnel make(const side &own, const side &other)
{
    auto options = underpass::default_options();
    options.flags = UNDERPASS_OPTION_PRIVATE_KEY;
    std::memcpy(options.private_key, own.private_key, 32);
    auto tunnel = Tunnel::create(options, BEGIN, WALL);
    CHECK(bool(tunnel));
    auto change = side_change(&other);
    CHECK(tunnel->configure_peers(BEGIN, {&change, 1}).ok());
    return *std::move(tunnel);
}

TEST(handles_move_and_free_themselves)
{
    side left = side_of(1), right = side_of(2);
    auto first = make(left, right);
    underpass_tunnel *handle = first.get();
    CHECK(handle != nullptr);
    Tunnel second = std::move(first);
    CHECK(second.get() == handle && first.get() == nullptr);
    // A moved handle is NULL, and says so like any other.
    EQ(first.remove_all_peers(BEGIN).code(), UNDERPASS_E_NULL);
    CHECK(!first.peers());
    Tunnel third = make(right, left);
    third = std::move(second);
    CHECK(third.get() == handle);
    first = std::move(third);
    CHECK(first.peers()->size() == 1);
}

TEST(errors_are_values)
{
    Status fine, nothing = UNDERPASS_NOTHING, refused = UNDERPASS_E_MTU;
    CHECK(fine.ok() && nothing.ok() && nothing.nothing() && !refused.ok() && !fine.nothing());
    TEXT(refused.message(), underpass_strerror(UNDERPASS_E_MTU));
    auto options = underpass::default_options();
    options.mtu = 1;
    auto tunnel = Tunnel::create(options, BEGIN, WALL);
    CHECK(!tunnel);
    EQ(tunnel.status().code(), UNDERPASS_E_MTU);
    auto wrong = Config::parse("[Interface]\nPrivateKey = AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\nMTU = 1\n");
    CHECK(bool(wrong));
    EQ(wrong->interface().status().code(), UNDERPASS_E_CONFIG);
    auto found = wrong->diagnostic(0);
    CHECK(bool(found));
    EQ(found->line, 3);
    CHECK(wrong->diagnostic(1).status().nothing());
    EQ(Config::parse("\xff").status().code(), UNDERPASS_E_ARGUMENT);
}

TEST(addresses_go_to_sockets_and_back)
{
    underpass::Address address{UNDERPASS_FAMILY_IPV4, 0, 7, 0, {192, 0, 2, 1}};
    std::array<unsigned char, 128> sockaddr{};
    auto len = underpass::address_to_sockaddr(address, UNDERPASS_FAMILY_IPV6, sockaddr.data(), sockaddr.size());
    CHECK(len && *len == 28);
    auto back = underpass::address_from_sockaddr(sockaddr.data(), *len);
    CHECK(back && back->family == UNDERPASS_FAMILY_IPV4 && back->port == 7 && back->ip[0] == 192 && back->ip[3] == 1);
    CHECK(underpass::address_from_sockaddr(sockaddr.data(), 3).status().code() == UNDERPASS_E_ARGUMENT);
}

TEST(a_configuration_becomes_a_tunnel)
{
    auto config = Config::parse(configuration);
    CHECK(bool(config));
    auto interface = config->interface();
    CHECK(interface && interface->mtu == 1400);
    underpass_wipe(interface->private_key, sizeof interface->private_key);
    CHECK(*config->text(UNDERPASS_TEXT_SEARCH_DOMAIN, 0) == "corp.example");
    CHECK(config->text(UNDERPASS_TEXT_SEARCH_DOMAIN, 1).status().nothing());
    CHECK(config->dns(0)->bytes[3] == 53 && config->address(0).status().nothing());
    auto peer = config->peer(0);
    CHECK(peer && peer->allowed_ips_len == 2);
    auto written = config->write();
    CHECK(written && written->view().find("vpn.example.com:4500") != std::string_view::npos);
    SecretText moved = *std::move(written);
    CHECK(bool(Config::parse(moved.view())->interface()));
    auto tunnel = Tunnel::from_config(*config, BEGIN, WALL);
    CHECK(bool(tunnel));
    auto peers = tunnel->peers();
    CHECK(peers && peers->size() == 1);
    auto name = tunnel->peer_endpoint_name((*peers)[0]);
    CHECK(name && name->first == "vpn.example.com" && name->second == 4500);
    CHECK(tunnel->peer_allowed_ips((*peers)[0])->size() == 2);
    CHECK(tunnel->poll_event()->kind == UNDERPASS_EVENT_RESOLVE_ENDPOINT);
    CHECK(tunnel->poll_event().status().nothing());
    CHECK(tunnel->uapi_get(51820, 0)->view().find("listen_port=51820\n") != std::string_view::npos);
    CHECK(tunnel->apply_config(BEGIN, *config).ok());
}

TEST(keys_are_made_and_written)
{
    auto key = SecretKey::generate_private();
    CHECK(bool(key));
    auto public_key = key->public_key();
    CHECK(bool(public_key));
    auto text = underpass::key_to_base64(public_key->data());
    CHECK(bool(text));
    underpass::PublicKey again{};
    CHECK(underpass::key_from_base64(text->data(), again.data()).ok());
    CHECK(again == *public_key);
    auto hex = underpass::key_to_hex(public_key->data());
    CHECK(hex && underpass::key_from_hex(hex->data(), again.data()).ok() && again == *public_key);
    EQ(underpass::key_from_hex("nonsense", again.data()).code(), UNDERPASS_E_KEY);
    CHECK(bool(SecretKey::generate_preshared()));
}

// Hands `to` all that `from` wants to send.
std::size_t carry(Tunnel &from, Tunnel &to, std::uint8_t sender)
{
    std::array<std::uint8_t, TRANSMIT_BUFFER> buffer;
    std::size_t count = 0;
    while (auto transmit = from.poll_transmit(BEGIN, buffer)) {
        underpass_slot slot{};
        slot.buf = buffer.data();
        slot.cap = slot.len = transmit->len;
        slot.path = path_of(sender);
        CHECK(to.handle_datagrams(BEGIN, {&slot, 1}).ok());
        count++;
    }
    return count;
}

TEST(packets_pass_in_batches_and_in_steps)
{
    side one = side_of(1), two = side_of(2);
    Tunnel left = make(one, two), right = make(two, one);
    underpass::PublicKey key;
    std::memcpy(key.data(), two.public_key, key.size());
    auto peer = left.peer_by_key(key);
    CHECK(peer && left.connect(BEGIN, *peer).ok());
    EQ(carry(left, right, 1), 1);
    EQ(carry(right, left, 2), 1);
    EQ(carry(left, right, 1), 1);
    EQ(left.peer_info(BEGIN, *peer)->health, UNDERPASS_HEALTH_UP);
    for (int in_steps = 0; in_steps < 2; in_steps++) {
        underpass_slot slots[4];
        underpass_job jobs[4] = {};
        for (auto &slot : slots) slot = packet_slot(1, 2, 100, 7);
        if (in_steps == 1) {
            CHECK(left.begin_packets(BEGIN, slots, jobs).ok() && underpass::crypt(slots, jobs).ok());
            CHECK(left.finish_packets(BEGIN, slots, jobs).ok());
        } else {
            CHECK(left.handle_packets(BEGIN, slots).ok());
        }
        for (auto &slot : slots) {
            EQ(slot.verdict, UNDERPASS_VERDICT_SEND);
            slot.path = path_of(1);
        }
        if (in_steps == 1) {
            CHECK(right.begin_datagrams(BEGIN, slots, jobs).ok() && underpass::crypt(slots, jobs).ok());
            CHECK(right.finish_datagrams(BEGIN, slots, jobs).ok());
            EQ(right.finish_datagrams(BEGIN, slots, underpass::View<underpass_job>(jobs, 3)).code(), UNDERPASS_E_ARGUMENT);
        } else {
            CHECK(right.handle_datagrams(BEGIN, slots).ok());
        }
        for (auto &slot : slots) EQ(slot.verdict, UNDERPASS_VERDICT_DELIVER);
        CHECK(underpass::discard_jobs(jobs).ok());
        free_slots(slots, 4);
    }
    EQ(right.stats()->rx_packets, 8);
    EQ((*right.drops())[UNDERPASS_DROP_REPLAY], 0);
    CHECK(*left.poll_timeout() > BEGIN && left.handle_timeout(*left.poll_timeout()).ok());
    CHECK(bool(left.timestamp_floor()) && *left.public_key() != underpass::PublicKey{} && *left.mtu() == 1420);
}

const check_test tests[] = {
    ENTRY(handles_move_and_free_themselves),
    ENTRY(errors_are_values),
    ENTRY(addresses_go_to_sockets_and_back),
    ENTRY(a_configuration_becomes_a_tunnel),
    ENTRY(keys_are_made_and_written),
    ENTRY(packets_pass_in_batches_and_in_steps),
    LAST_ENTRY,
};
const check_test *const tables[] = { tests, nullptr };

} // namespace

int main(int argc, char **argv)
{
    return check_all(tables, argc, argv);
}
