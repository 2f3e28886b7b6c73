/* Makes one system call by its number with plain numbers as arguments, and prints its result and errno:
 * syscall-errno NUMBER [ARGUMENT...]. For calls that no shell command makes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    long arguments[6] = {0};
    if (argc < 2 || argc > 8) {
        fprintf(stderr, "usage: syscall-errno NUMBER [ARGUMENT...], up to 6 arguments\n");
        return 2;
    }
    for (int i = 2; i < argc; i++) arguments[i - 2] = strtol(argv[i], NULL, 0);
    errno = 0;
    long result = syscall(strtol(argv[1], NULL, 0), arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                          arguments[5]);
    printf("%ld %d\n", result, result < 0 ? errno : 0);
    return 0;
}
