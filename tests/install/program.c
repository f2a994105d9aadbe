/* A stranger's program: makes an identity in the folder it is given, with the installed library. */
#include <stdio.h>
#include <yaari/error.h>
#include <yaari/host.h>

int main(int argc, char **argv)
{
    unsigned char id[YR_ID_LEN];
    char why[256] = "";
    enum yr_err err;

    if (argc != 2)
        return 64;
    err = yr_host_make_identity(argv[1], "carol", NULL, 0, id, why, sizeof why);
    if (err != YR_OK) {
        fprintf(stderr, "no identity: %s: %s\n", yr_strerror(err), why);
        return 1;
    }
    printf("identity %02x%02x... made\n", id[0], id[1]);
    return 0;
}
