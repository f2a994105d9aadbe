/* text_safe.h: what others wrote, made fit to show.  One boundary: every string that came from
 * a friend, a link or a file passes here on its way to a terminal, pipe or notification.
 *
 *     input                                  body                           name
 *     invalid UTF-8, noncharacters           U+FFFD                         U+FFFD
 *     C0 but \n \t, DEL                      visible: U+2400+c, U+2421      removed
 *     C1                                     U+FFFD                         removed
 *     U+2028, U+2029                         \n                             space
 *     LRE RLE LRO RLO PDF                    removed                        removed
 *     LRI RLI FSI PDI                        kept, balanced on each line    removed
 *     LRM RLM ALM and other Cf               kept                           removed
 *     ZWSP WJ BOM SHY CGJ MVS, Hangul fillers  removed                      removed
 *     ZWJ ZWNJ                               kept                           kept between letters
 *     marks on one base                      at most 8                      at most 3
 *     tags U+E0000-7F                        in flags U+1F3F4 ... U+E007F   removed
 *     white space                            kept                           one space, none at ends
 *
 * Whatever the input: the output is UTF-8 without C0, C1 and DEL (but \n \t in bodies), making it
 * safe again changes nothing, and it is at most 3 times as long. */
#ifndef YR_CLI_TEXT_SAFE_H
#define YR_CLI_TEXT_SAFE_H

#include "cli/common/buf.h"

#define YR_SAFE_NAME_MAX 64 /* bytes of a name made safe */

/** Append a text, status or greeting. */
void yr_safe_body(struct yr_buf *out, const char *text, size_t len);
/** The same with \n and \t as single spaces: for one line of output. */
void yr_safe_line(struct yr_buf *out, const char *text, size_t len);
/** Append a name: in NFC and at most 64 bytes, cut between clusters.  May append nothing. */
void yr_safe_name(struct yr_buf *out, const char *text, size_t len);

/** Append a safe name as one word of a command that a shell may be given: quoted where it must be,
 *  and with '@' before a '-', which would be an option. */
void yr_shell_word(struct yr_buf *out, const char *name);

/** What two names must not share: decomposed, case folded, marks and invisible characters dropped,
 *  look-alikes (0 o, 1 l i, rn m, Cyrillic and Greek letters) made one. */
void yr_name_skeleton(struct yr_buf *out, const char *name, size_t len);

/** Append text with every cluster that is not ASCII as one '?': for a locale that is not UTF-8. */
void yr_safe_ascii(struct yr_buf *out, const char *text, size_t len);

#endif
