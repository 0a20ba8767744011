/* Prints a new pair of keys, as lines of a configuration. The public one goes to the peer. */
#include <stdio.h>
#include <underpass.h>

int main(void) {
    uint8_t private_key[UNDERPASS_KEY_LEN], public_key[UNDERPASS_KEY_LEN];
    char private_text[UNDERPASS_BASE64_LEN], public_text[UNDERPASS_BASE64_LEN];
    int32_t status = underpass_private_key_generate(private_key);
    if (status == UNDERPASS_OK) status = underpass_public_key(private_key, public_key);
    if (status == UNDERPASS_OK) status = underpass_key_to_base64(private_key, private_text, sizeof private_text);
    if (status == UNDERPASS_OK) status = underpass_key_to_base64(public_key, public_text, sizeof public_text);
    if (status < 0) {
        fprintf(stderr, "keys: %s\n", underpass_strerror(status));
        return 1;
    }
    printf("PrivateKey = %s\nPublicKey = %s\n", private_text, public_text);
    underpass_wipe(private_key, sizeof private_key);
    underpass_wipe(private_text, sizeof private_text);
    return 0;
}
