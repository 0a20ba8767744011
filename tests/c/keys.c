/* Keys: made, read, written, wiped. */
#include "check.h"

#include <stdlib.h>

/* RFC 7748 § 6.1: Alice's keys. */
static const uint8_t private_key[32] = {
    0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
    0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a,
};
static const uint8_t public_key[32] = {
    0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54, 0x74, 0x8b, 0x7d, 0xdc, 0xb4, 0x3e, 0xf7, 0x5a,
    0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38, 0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b, 0x4e, 0x6a,
};
static const char public_hex[] = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
static const char public_base64[] = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";

TEST(a_public_key_follows_from_the_private_one)
{
    uint8_t key[32];
    OK(underpass_public_key(private_key, key));
    SAME(key, public_key, 32);
    memcpy(key, private_key, 32);
    OK(underpass_public_key(key, key));
    SAME(key, public_key, 32);
}

TEST(keys_are_written_and_read)
{
    char text[128];
    uint8_t key[32];
    stain(text, sizeof text);
    OK(underpass_key_to_base64(public_key, text, sizeof text));
    TEXT(text, public_base64);
    EQ(strlen(text) + 1, UNDERPASS_BASE64_LEN);
    CHECK(text[UNDERPASS_BASE64_LEN] != '\0');
    OK(underpass_key_from_base64(text, strlen(text), key));
    SAME(key, public_key, 32);
    stain(text, sizeof text);
    OK(underpass_key_to_hex(public_key, text, sizeof text));
    TEXT(text, public_hex);
    EQ(strlen(text) + 1, UNDERPASS_HEX_LEN);
    OK(underpass_key_from_hex(text, strlen(text), key));
    SAME(key, public_key, 32);
    OK(underpass_key_from_hex("8520F0098930A754748B7DDCB43EF75A0DBF3A0D26381AF4EBA4A98EAA9B4E6A", 64, key));
    SAME(key, public_key, 32);
}

TEST(texts_need_no_nul_and_buffers_no_spare_byte)
{
    uint8_t key[32];
    char *text = copy_of(public_base64, 44);
    char *hex = copy_of(public_hex, 64);
    OK(underpass_key_from_base64(text, 44, key));
    SAME(key, public_key, 32);
    OK(underpass_key_from_hex(hex, 64, key));
    SAME(key, public_key, 32);
    free(text);
    free(hex);
    text = exactly(UNDERPASS_BASE64_LEN);
    hex = exactly(UNDERPASS_HEX_LEN);
    OK(underpass_key_to_base64(public_key, text, UNDERPASS_BASE64_LEN));
    TEXT(text, public_base64);
    OK(underpass_key_to_hex(public_key, hex, UNDERPASS_HEX_LEN));
    TEXT(hex, public_hex);
    free(text);
    free(hex);
}

TEST(short_buffers_get_nothing)
{
    char text[UNDERPASS_HEX_LEN];
    size_t cap;
    for (cap = 0; cap < UNDERPASS_BASE64_LEN; cap++) {
        REFUSED(UNDERPASS_E_BUFFER, text, underpass_key_to_base64(public_key, text, cap));
    }
    for (cap = 0; cap < UNDERPASS_HEX_LEN; cap++) {
        REFUSED(UNDERPASS_E_BUFFER, text, underpass_key_to_hex(public_key, text, cap));
    }
}

TEST(what_is_no_key_is_refused)
{
    static const char *const base64[] = {
        "", "h", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo==",
        "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTm==", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmoA",
        "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo=", "hSDwCYkwp1R0i33ctD73Wg2 Og0mOBr066SpjqqbTmo=",
        "=SDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmp=",
        "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbT\xc3\xa9=", " hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
    };
    static const char *const hex[] = {
        "", "8", "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6",
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a0",
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6g",
        "+520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
        "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
    };
    uint8_t key[32];
    size_t at;
    for (at = 0; at < COUNT(base64); at++) {
        REFUSED(UNDERPASS_E_KEY, key, underpass_key_from_base64(base64[at], strlen(base64[at]), key));
    }
    for (at = 0; at < COUNT(hex); at++) {
        REFUSED(UNDERPASS_E_KEY, key, underpass_key_from_hex(hex[at], strlen(hex[at]), key));
    }
    /* A NUL inside is a character like another, and a length that lies high is caught before it is believed. */
    REFUSED(UNDERPASS_E_KEY, key, underpass_key_from_base64("hSDwCYkwp1R0i33ctD73\0g2/Og0mOBr066SpjqqbTmo=", 44, key));
    REFUSED(UNDERPASS_E_KEY, key, underpass_key_from_hex(public_hex, (size_t)PTRDIFF_MAX, key));
}

TEST(made_keys_differ_and_private_ones_are_clamped)
{
    uint8_t first[32], second[32], shared[32];
    OK(underpass_private_key_generate(first));
    OK(underpass_private_key_generate(second));
    CHECK(memcmp(first, second, 32) != 0);
    EQ(first[0] & 7, 0);
    EQ(first[31] & 0xc0, 0x40);
    OK(underpass_preshared_key_generate(shared));
    OK(underpass_preshared_key_generate(second));
    CHECK(memcmp(shared, second, 32) != 0);
}

TEST(wiped_memory_is_zero)
{
    uint8_t memory[100];
    size_t at;
    stain(memory, sizeof memory);
    underpass_wipe(memory + 10, 80);
    for (at = 10; at < 90; at++) EQ(memory[at], 0);
    CHECK(memory[9] != 0 && memory[90] != 0);
    underpass_wipe(memory, 0);
    CHECK(memory[0] != 0);
    underpass_wipe(NULL, 0);
    underpass_wipe(NULL, 32);
}

const check_test keys_tests[] = {
    ENTRY(a_public_key_follows_from_the_private_one),
    ENTRY(keys_are_written_and_read),
    ENTRY(texts_need_no_nul_and_buffers_no_spare_byte),
    ENTRY(short_buffers_get_nothing),
    ENTRY(what_is_no_key_is_refused),
    ENTRY(made_keys_differ_and_private_ones_are_clamped),
    ENTRY(wiped_memory_is_zero),
    LAST_ENTRY,
};
