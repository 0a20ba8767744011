// underpass.hpp: C++17 around underpass.h. Header only, no exceptions, no RTTI.
//
// Handles are movable objects that free themselves, functions return a Status or a Result, arrays are Views. Names,
// order of calls, units and threads are those of underpass.h, whose documentation holds here: a function here is the
// function there without its prefix. The structs are used as they are; their `size` is filled in here.
//
//     auto config = underpass::Config::parse(text);
//     if (!config) return fail(config.status());
//     auto tunnel = underpass::Tunnel::from_config(*config, now, wall);
//     if (!tunnel) return fail(tunnel.status());
//     while (auto event = tunnel->poll_event()) note(*event);
//
// A Result that holds no value ends the program (std::abort) when it is used as if it did; so does a View that is read
// behind its end.
//
// Memory: the data plane allocates nothing. What returns a std::vector or std::string allocates, and where there is no
// memory and there are no exceptions, the program ends, as always in C++.
#ifndef UNDERPASS_HPP
#define UNDERPASS_HPP

#include "underpass.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace underpass {

using Address = underpass_address;
using AllowedIp = underpass_allowed_ip;
using Diagnostic = underpass_diagnostic;
using Event = underpass_event;
using Interface = underpass_interface;
using Ip = underpass_ip;
using Job = underpass_job;
using Layout = underpass_layout;
using Options = underpass_options;
using Path = underpass_path;
using Peer = underpass_peer_info;
using PeerChange = underpass_peer_change;
using Slot = underpass_slot;
using Stats = underpass_stats;
using Transmit = underpass_transmit;
using UapiResult = underpass_uapi_result;

/// Names a peer of one tunnel; never 0, never given to another peer.
using PeerId = underpass_peer_id;
/// Nanoseconds of a clock that counts while the machine sleeps.
using Instant = std::uint64_t;
/// Nanoseconds since 1970, UTC.
using WallTime = std::uint64_t;
using PublicKey = std::array<std::uint8_t, UNDERPASS_KEY_LEN>;
using Timestamp = std::array<std::uint8_t, UNDERPASS_TIMESTAMP_LEN>;
/// How often each reason of a drop happened; the index is an UNDERPASS_DROP_*.
using DropCounts = std::array<std::uint64_t, UNDERPASS_DROP_REASONS>;

/// What became of a call: an UNDERPASS_OK, UNDERPASS_NOTHING or UNDERPASS_E_*.
class [[nodiscard]] Status {
public:
    constexpr Status(std::int32_t code = UNDERPASS_OK) noexcept : code_(code) {}
    constexpr std::int32_t code() const noexcept { return code_; }
    /// Not refused; perhaps there was nothing.
    constexpr bool ok() const noexcept { return code_ >= 0; }
    constexpr explicit operator bool() const noexcept { return ok(); }
    /// There was nothing (more) to be had.
    constexpr bool nothing() const noexcept { return code_ == UNDERPASS_NOTHING; }
    /// In words, for people; static.
    const char *message() const noexcept { return underpass_strerror(code_); }
    /// Does not look at the outcome, and says so.
    constexpr void ignore() const noexcept {}

private:
    std::int32_t code_;
};

/// A value, or the Status that says why there is none. Look before you dereference: without a value that ends the program.
template <class T> class [[nodiscard]] Result {
public:
    Result(T value) noexcept(std::is_nothrow_move_constructible_v<T>) : value_(std::move(value)) {}
    Result(Status status) noexcept : status_(status) {}
    Status status() const noexcept { return status_; }
    /// Whether there is a value.
    explicit operator bool() const noexcept { return value_.has_value(); }
    T &operator*() & noexcept { return check(), *value_; }
    const T &operator*() const & noexcept { return check(), *value_; }
    T &&operator*() && noexcept { return check(), *std::move(value_); }
    T *operator->() noexcept { return check(), &*value_; }
    const T *operator->() const noexcept { return check(), &*value_; }

private:
    void check() const noexcept {
        if (!value_.has_value()) std::abort();
    }
    Status status_;
    std::optional<T> value_;
};

/// Memory that belongs to somebody else: where it begins and how many elements it has. Made from arrays, from other Views,
/// and from whatever has data() and size() and lives on: not from a temporary, whose memory would be gone.
template <class T> class View {
public:
    constexpr View() noexcept = default;
    constexpr View(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <std::size_t N> constexpr View(T (&array)[N]) noexcept : data_(array), size_(N) {}
    template <class C, class = std::enable_if_t<std::is_convertible_v<decltype(std::declval<C &>().data()), T *>>>
    constexpr View(C &container) noexcept : data_(container.data()), size_(container.size()) {}
    template <class U, class = std::enable_if_t<std::is_convertible_v<U *, T *>>>
    constexpr View(View<U> &&other) noexcept : data_(other.data()), size_(other.size()) {}
    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T *begin() const noexcept { return data_; }
    constexpr T *end() const noexcept { return data_ + size_; }
    constexpr T &operator[](std::size_t i) const noexcept { return check(i < size_), data_[i]; }
    /// The first `count` elements; `count` is at most size().
    constexpr View first(std::size_t count) const noexcept { return check(count <= size_), View(data_, count); }

private:
    static constexpr void check(bool within) noexcept {
        if (!within) std::abort();
    }
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

/// A private or preshared key; wiped when it goes.
class SecretKey {
public:
    SecretKey() noexcept = default;
    SecretKey(const SecretKey &) noexcept = default;
    SecretKey &operator=(const SecretKey &) noexcept = default;
    ~SecretKey() { underpass_wipe(bytes_.data(), bytes_.size()); }
    std::uint8_t *data() noexcept { return bytes_.data(); }
    const std::uint8_t *data() const noexcept { return bytes_.data(); }
    static constexpr std::size_t size() noexcept { return UNDERPASS_KEY_LEN; }

    static Result<SecretKey> generate_private() { return make(underpass_private_key_generate); }
    static Result<SecretKey> generate_preshared() { return make(underpass_preshared_key_generate); }
    Result<PublicKey> public_key() const {
        PublicKey key;
        Status status = underpass_public_key(data(), key.data());
        return status ? Result<PublicKey>(key) : status;
    }

private:
    template <class F> static Result<SecretKey> make(F generate) {
        SecretKey key;
        Status status = generate(key.data());
        return status ? Result<SecretKey>(key) : status;
    }
    std::array<std::uint8_t, UNDERPASS_KEY_LEN> bytes_{};
};

/// Text with keys in it; wiped when it goes.
class SecretText {
public:
    explicit SecretText(std::size_t size) : text_(size + 1, '\0') {}
    SecretText(SecretText &&other) noexcept : text_(std::move(other.text_)) { other.wipe(); }
    SecretText &operator=(SecretText &&other) noexcept {
        wipe();
        text_ = std::move(other.text_);
        other.wipe();
        return *this;
    }
    ~SecretText() { wipe(); }
    std::string_view view() const noexcept { return {text_.data(), text_.empty() ? 0 : text_.size() - 1}; }
    char *data() noexcept { return text_.data(); }
    std::size_t capacity() const noexcept { return text_.size(); }

private:
    void wipe() noexcept { underpass_wipe(text_.data(), text_.size()); }
    // Not a std::string: a short one would be copied within its object when it is moved.
    std::vector<char> text_;
};

namespace detail {

/// A struct that the library fills, its size said.
template <class T> T sized() noexcept {
    T out{};
    out.size = sizeof out;
    return out;
}

/// A struct with its defaults.
template <class T, class F> T with_defaults(F init) noexcept {
    T out{};
    init(&out, sizeof out);
    return out;
}

/// Asks `call` for one value.
template <class T, class F> Result<T> ask(T out, F call) {
    Status status = call(&out);
    return status.code() == UNDERPASS_OK ? Result<T>(std::move(out)) : status;
}

/// Asks `call` how many there are, and for them.
template <class T, class F> Result<std::vector<T>> list(F call) {
    std::size_t count = 0;
    Status status = call(static_cast<T *>(nullptr), std::size_t{0}, &count);
    std::vector<T> out(status ? count : 0);
    if (status && count > 0) status = call(out.data(), out.size(), &count);
    return status ? Result<std::vector<T>>(std::move(out)) : status;
}

/// Asks `call` how long a text is, and for it.
template <class F> Result<SecretText> text(F call) {
    std::size_t len = 0;
    Status status = call(static_cast<char *>(nullptr), std::size_t{0}, &len);
    SecretText out(status ? len : 0);
    if (status) status = call(out.data(), out.capacity(), &len);
    return status ? Result<SecretText>(std::move(out)) : status;
}

} // namespace detail

// ---- words, keys, defaults ----

/// major << 24 | minor << 16 | patch << 8 of the library that is linked; compare it with UNDERPASS_VERSION.
inline std::uint32_t version() noexcept { return underpass_version(); }
inline std::string_view version_string() noexcept { return underpass_version_string(); }
/// "fast" or "portable".
inline std::string_view backend() noexcept { return underpass_backend(); }
inline std::string_view event_name(std::uint32_t kind) noexcept { return underpass_event_name(kind); }
inline std::string_view health_name(std::uint32_t health) noexcept { return underpass_health_name(health); }
inline std::string_view send_error_name(std::uint32_t kind) noexcept { return underpass_send_error_name(kind); }
inline std::string_view drop_reason_name(std::uint32_t reason) noexcept { return underpass_drop_reason_name(reason); }

/// Reads a key of 44 (base64) or 64 (hexadecimal) characters into 32 bytes.
inline Status key_from_base64(std::string_view text, std::uint8_t *key) noexcept {
    return underpass_key_from_base64(text.data(), text.size(), key);
}
inline Status key_from_hex(std::string_view text, std::uint8_t *key) noexcept {
    return underpass_key_from_hex(text.data(), text.size(), key);
}
inline Result<std::array<char, UNDERPASS_BASE64_LEN>> key_to_base64(const std::uint8_t *key) {
    return detail::ask(std::array<char, UNDERPASS_BASE64_LEN>{},
                       [&](auto *out) { return underpass_key_to_base64(key, out->data(), out->size()); });
}
inline Result<std::array<char, UNDERPASS_HEX_LEN>> key_to_hex(const std::uint8_t *key) {
    return detail::ask(std::array<char, UNDERPASS_HEX_LEN>{},
                       [&](auto *out) { return underpass_key_to_hex(key, out->data(), out->size()); });
}

/// The address in a sockaddr_in or sockaddr_in6; IPv4 in IPv6 is IPv4.
inline Result<Address> address_from_sockaddr(const void *sockaddr, std::size_t len) {
    return detail::ask(Address{}, [&](auto *out) { return underpass_address_from_sockaddr(sockaddr, len, out); });
}
/// Writes a sockaddr_in or sockaddr_in6 for a socket of `family` (UNDERPASS_FAMILY_*; NONE: that of the address), and says
/// how many bytes it has.
inline Result<std::size_t> address_to_sockaddr(const Address &address, std::uint8_t family, void *sockaddr, std::size_t cap) {
    return detail::ask(std::size_t{}, [&](auto *out) {
        return underpass_address_to_sockaddr(&address, family, sockaddr, cap, out);
    });
}

inline Options default_options() noexcept { return detail::with_defaults<Options>(underpass_options_init); }
/// A change that adds the peer whose `public_key` is filled in, and sets nothing.
inline PeerChange peer_change() noexcept { return detail::with_defaults<PeerChange>(underpass_peer_change_init); }

// ---- configuration ----

/// A wg-quick configuration. Immutable: any number of threads may read it.
class Config {
public:
    /// Parses `text`. What is wrong with it are diagnostics; every other method then refuses with UNDERPASS_E_CONFIG.
    static Result<Config> parse(std::string_view text) {
        underpass_config *handle = nullptr;
        Status status = underpass_config_parse(text.data(), text.size(), &handle);
        return status ? Result<Config>(Config(handle)) : status;
    }
    /// Finding number `index`; nothing behind the last. Its strings live as long as the configuration, as do those of
    /// interface(), text() and peer().
    Result<Diagnostic> diagnostic(std::size_t index) const {
        return detail::ask(detail::sized<Diagnostic>(),
                           [&](auto *out) { return underpass_config_diagnostic(get(), index, out); });
    }
    /// Holds the private key: wipe it when you are done.
    Result<Interface> interface() const {
        return detail::ask(detail::sized<Interface>(),
                           [&](auto *out) { return underpass_config_interface(get(), out); });
    }
    Result<Ip> address(std::size_t index) const {
        return detail::ask(Ip{}, [&](auto *out) { return underpass_config_address(get(), index, out); });
    }
    Result<Ip> dns(std::size_t index) const {
        return detail::ask(Ip{}, [&](auto *out) { return underpass_config_dns(get(), index, out); });
    }
    /// `kind`: an UNDERPASS_TEXT_*.
    Result<std::string_view> text(std::uint32_t kind, std::size_t index) const {
        const char *out = nullptr;
        Status status = underpass_config_text(get(), kind, index, &out);
        return status.code() == UNDERPASS_OK ? Result<std::string_view>(out) : status;
    }
    /// Holds the preshared key: wipe it when you are done.
    Result<PeerChange> peer(std::size_t index) const {
        return detail::ask(detail::sized<PeerChange>(),
                           [&](auto *out) { return underpass_config_peer(get(), index, out); });
    }
    /// As text again, keys included.
    Result<SecretText> write() const {
        return detail::text([&](char *out, std::size_t cap, std::size_t *len) {
            return underpass_config_write(get(), out, cap, len);
        });
    }
    const underpass_config *get() const noexcept { return handle_.get(); }

private:
    struct Free {
        void operator()(underpass_config *handle) const noexcept { underpass_config_free(handle); }
    };
    explicit Config(underpass_config *handle) noexcept : handle_(handle) {}
    std::unique_ptr<underpass_config, Free> handle_;
};

// ---- the tunnel ----

/// One virtual interface: its private key, its peers, its routes. One thread at a time; a second one is refused with
/// UNDERPASS_E_BUSY. After poll_transmit, poll_event and poll_timeout nothing is due until poll_timeout's answer.
/// None may be inside when it is destroyed.
class Tunnel {
public:
    static Result<Tunnel> create(const Options &options, Instant now, WallTime wall) {
        underpass_tunnel *handle = nullptr;
        Status status = underpass_tunnel_new(&options, now, wall, &handle);
        return status ? Result<Tunnel>(Tunnel(handle)) : status;
    }
    /// Private key, MTU and peers are those of `config`, all else those of `options`.
    static Result<Tunnel> from_config(const Config &config, const Options &options, Instant now, WallTime wall) {
        underpass_tunnel *handle = nullptr;
        Status status = underpass_tunnel_new_from_config(config.get(), &options, now, wall, &handle);
        return status ? Result<Tunnel>(Tunnel(handle)) : status;
    }
    static Result<Tunnel> from_config(const Config &config, Instant now, WallTime wall) {
        return from_config(config, default_options(), now, wall);
    }

    // A. configure: all or nothing
    Status configure_peers(Instant now, View<const PeerChange> changes) {
        return underpass_tunnel_configure_peers(get(), now, changes.data(), changes.size(), nullptr);
    }
    /// The same, with the numbers of the peers, as many as there are changes.
    Status configure_peers(Instant now, View<const PeerChange> changes, View<PeerId> peers) {
        if (changes.size() != peers.size()) return UNDERPASS_E_ARGUMENT;
        return underpass_tunnel_configure_peers(get(), now, changes.data(), changes.size(), peers.data());
    }
    Status set_padding(Instant now, std::uint32_t padding) { return underpass_tunnel_set_padding(get(), now, padding); }
    Status set_limits(Instant now, const Options &options) { return underpass_tunnel_set_limits(get(), now, &options); }
    Result<Layout> layout() const {
        return detail::ask(detail::sized<Layout>(), [&](auto *out) { return underpass_tunnel_layout(get(), out); });
    }
    Result<std::size_t> datagram_len(std::size_t packet) const {
        return detail::ask(std::size_t{}, [&](auto *out) { return underpass_tunnel_datagram_len(get(), packet, out); });
    }
    Status remove_all_peers(Instant now) { return underpass_tunnel_remove_all_peers(get(), now); }
    /// nullptr: none, the tunnel falls silent.
    Status set_private_key(Instant now, const SecretKey *key) {
        return underpass_tunnel_set_private_key(get(), now, key == nullptr ? nullptr : key->data());
    }
    Status set_mtu(Instant now, std::uint32_t mtu) { return underpass_tunnel_set_mtu(get(), now, mtu); }
    Status apply_config(Instant now, const Config &config) { return underpass_tunnel_apply_config(get(), now, config.get()); }
    Result<UapiResult> uapi_set(Instant now, std::string_view text) {
        return detail::ask(detail::sized<UapiResult>(), [&](auto *out) {
            return underpass_tunnel_uapi_set(get(), now, text.data(), text.size(), out);
        });
    }
    Result<SecretText> uapi_get(std::uint16_t listen_port, std::uint32_t fwmark) {
        return detail::text([&](char *out, std::size_t cap, std::size_t *len) {
            return underpass_tunnel_uapi_get(get(), listen_port, fwmark, out, cap, len);
        });
    }

    // B. facts: the data plane, in place
    Status handle_packets(Instant now, View<Slot> slots) {
        return underpass_tunnel_handle_packets(get(), now, slots.data(), slots.size());
    }
    Status handle_datagrams(Instant now, View<Slot> slots) {
        return underpass_tunnel_handle_datagrams(get(), now, slots.data(), slots.size());
    }
    /// The three steps, for many cores; crypt() stands below. There are as many jobs as slots.
    Status begin_packets(Instant now, View<Slot> slots, View<Job> jobs) {
        if (slots.size() != jobs.size()) return UNDERPASS_E_ARGUMENT;
        return underpass_tunnel_begin_packets(get(), now, slots.data(), jobs.data(), slots.size());
    }
    Status begin_datagrams(Instant now, View<Slot> slots, View<Job> jobs) {
        if (slots.size() != jobs.size()) return UNDERPASS_E_ARGUMENT;
        return underpass_tunnel_begin_datagrams(get(), now, slots.data(), jobs.data(), slots.size());
    }
    Status finish_packets(Instant now, View<Slot> slots, View<Job> jobs) {
        if (slots.size() != jobs.size()) return UNDERPASS_E_ARGUMENT;
        return underpass_tunnel_finish_packets(get(), now, slots.data(), jobs.data(), slots.size());
    }
    Status finish_datagrams(Instant now, View<Slot> slots, View<Job> jobs) {
        if (slots.size() != jobs.size()) return UNDERPASS_E_ARGUMENT;
        return underpass_tunnel_finish_datagrams(get(), now, slots.data(), jobs.data(), slots.size());
    }
    Status handle_timeout(Instant now) { return underpass_tunnel_handle_timeout(get(), now); }
    Status handle_network_change(Instant now) { return underpass_tunnel_handle_network_change(get(), now); }
    Status handle_wall_clock(Instant now, WallTime wall) { return underpass_tunnel_handle_wall_clock(get(), now, wall); }

    // C. drain: after every A, B and D
    /// Writes the next datagram to the beginning of `buf`.
    Result<Transmit> poll_transmit(Instant now, View<std::uint8_t> buf) {
        return detail::ask(detail::sized<Transmit>(), [&](auto *out) {
            return underpass_tunnel_poll_transmit(get(), now, buf.data(), buf.size(), out);
        });
    }
    /// Fills slots with datagrams from the first on: how many.
    Result<std::size_t> poll_transmits(Instant now, View<Slot> slots) {
        return detail::ask(std::size_t{}, [&](auto *out) {
            return underpass_tunnel_poll_transmits(get(), now, slots.data(), slots.size(), out);
        });
    }
    Result<Event> poll_event() {
        return detail::ask(detail::sized<Event>(), [&](auto *out) { return underpass_tunnel_poll_event(get(), out); });
    }
    /// UNDERPASS_NEVER: nothing is due.
    Result<Instant> poll_timeout() const {
        return detail::ask(Instant{}, [&](auto *out) { return underpass_tunnel_poll_timeout(get(), out); });
    }

    // D. command and ask
    Status set_endpoint(Instant now, PeerId peer, const Address &endpoint) {
        return underpass_tunnel_set_endpoint(get(), now, peer, &endpoint);
    }
    Status connect(Instant now, PeerId peer) { return underpass_tunnel_connect(get(), now, peer); }
    /// `kind`: an UNDERPASS_SEND_ERROR_*.
    Status handle_send_error(PeerId peer, const Path &path, std::size_t len, std::uint32_t kind) {
        return underpass_tunnel_handle_send_error(get(), peer, &path, len, kind);
    }
    Status end_sessions(Instant now, PeerId peer) { return underpass_tunnel_end_sessions(get(), now, peer); }
    Status set_refused(Instant now, PeerId peer, bool refused) {
        return underpass_tunnel_set_refused(get(), now, peer, refused);
    }
    Status reset_peer_timestamp(PeerId peer) { return underpass_tunnel_reset_peer_timestamp(get(), peer); }
    Result<Timestamp> timestamp_floor() const {
        return detail::ask(Timestamp{}, [&](auto *out) { return underpass_tunnel_timestamp_floor(get(), out->data()); });
    }
    Result<PeerId> peer_by_key(const PublicKey &key) const {
        return detail::ask(PeerId{}, [&](auto *out) { return underpass_tunnel_peer_by_key(get(), key.data(), out); });
    }
    Result<std::vector<PeerId>> peers() const {
        return detail::list<PeerId>([&](auto... out) { return underpass_tunnel_peers(get(), out...); });
    }
    Result<Peer> peer_info(Instant now, PeerId peer) const {
        return detail::ask(detail::sized<Peer>(),
                           [&](auto *out) { return underpass_tunnel_peer(get(), now, peer, out); });
    }
    Result<std::vector<Ip>> peer_allowed_ips(PeerId peer) const {
        return detail::list<Ip>([&](auto... out) { return underpass_tunnel_peer_allowed_ips(get(), peer, out...); });
    }
    /// The name that UNDERPASS_EVENT_RESOLVE_ENDPOINT asks for, and the port; nothing where there is none.
    Result<std::pair<std::string, std::uint16_t>> peer_endpoint_name(PeerId peer) const {
        std::array<char, 256> host{}; // no name of the DNS is longer
        std::size_t len = 0;
        std::uint16_t port = 0;
        Status status = underpass_tunnel_peer_endpoint_name(get(), peer, host.data(), host.size(), &len, &port);
        if (status.code() != UNDERPASS_OK) return status;
        return std::pair<std::string, std::uint16_t>({host.data(), len}, port);
    }
    Result<DropCounts> peer_drops(PeerId peer) const {
        std::size_t len = 0;
        return detail::ask(DropCounts{}, [&](auto *out) {
            return underpass_tunnel_peer_drops(get(), peer, out->data(), out->size(), &len);
        });
    }
    Result<Stats> stats() const {
        return detail::ask(detail::sized<Stats>(), [&](auto *out) { return underpass_tunnel_stats(get(), out); });
    }
    Result<DropCounts> drops() const {
        std::size_t len = 0;
        return detail::ask(DropCounts{}, [&](auto *out) {
            return underpass_tunnel_drops(get(), out->data(), out->size(), &len);
        });
    }
    Result<PublicKey> public_key() const {
        return detail::ask(PublicKey{}, [&](auto *out) { return underpass_tunnel_public_key(get(), out->data()); });
    }
    /// `user` of the options that the tunnel was made from.
    Result<std::uint64_t> user() const {
        return detail::ask(std::uint64_t{}, [&](auto *out) { return underpass_tunnel_user(get(), out); });
    }
    Result<std::uint32_t> mtu() const {
        return detail::ask(std::uint32_t{}, [&](auto *out) { return underpass_tunnel_mtu(get(), out); });
    }
    underpass_tunnel *get() const noexcept { return handle_.get(); }

private:
    struct Free {
        void operator()(underpass_tunnel *handle) const noexcept { underpass_tunnel_free(handle); }
    };
    explicit Tunnel(underpass_tunnel *handle) noexcept : handle_(handle) {}
    std::unique_ptr<underpass_tunnel, Free> handle_;
};

/// The middle step of both directions, on any thread, without the tunnel.
inline Status crypt(View<Slot> slots, View<Job> jobs) noexcept {
    if (slots.size() != jobs.size()) return UNDERPASS_E_ARGUMENT;
    return underpass_jobs_crypt(slots.data(), jobs.data(), slots.size());
}

/// Jobs that are not finished after all; their keys are wiped.
inline Status discard_jobs(View<Job> jobs) noexcept { return underpass_jobs_discard(jobs.data(), jobs.size()); }

} // namespace underpass

#endif // UNDERPASS_HPP
