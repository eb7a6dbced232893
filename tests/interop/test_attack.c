/*
 * test_attack.c - no way into a store takes half of a SHA-1 collision.
 *
 * Goal: what the digest on guard calls an attack is refused by every verb, by the daemon's protocols, by conversions
 * and bundles, as a value, a name or a message, and nothing of it stays.  Method: nobody has a collision of two Git
 * objects, so this is the program itself with the digest told to take a block of exclamation marks for one
 * (bough_hash_alarm), under attack.bash, which sends it by all ways.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"

int program_main(int argc, char **argv);
#define main program_main
#include "cli/main.c"
#undef main

int main(int argc, char **argv)
{
    static uint8_t block[64];
    char self[4096];
    ssize_t n;

    if (getenv("ATTACK_PROGRAM") != NULL) {
        memset(block, '!', sizeof block);
        bough_hash_alarm(block);
        return program_main(argc, argv);
    }
    n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return 1;
    self[n] = 0;
    setenv("ATTACK_PROGRAM", self, 1);
    execlp("bash", "bash", "tests/interop/attack.bash", (char *)NULL);
    return 1;
}
