#ifndef NIGHTMAIL_SUBMIT_FRAME_H
#define NIGHTMAIL_SUBMIT_FRAME_H

/*
 * What nightmail-drop reads on its standard input:
 *
 *     nightmail-drop 1 LF
 *     envelope LEN LF   LEN bytes (queue/envelope.h; id, created and uid are replaced)
 *     data LEN LF       LEN bytes of the message in wire form; any number of times
 *     commit LF
 *
 * An end before "commit" discards the message. Its answer on standard output is one line of
 * words: "queued ID", or "failed CODE words=..." with an exit code of sysexits.h.
 */

#define FRAME_MAGIC "nightmail-drop 1\n"
#define FRAME_LINE_MAX 32u
#define FRAME_DATA_MAX 65536u
#define FRAME_ANSWER_MAX 2048u

#endif
