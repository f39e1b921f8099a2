// SPDX-License-Identifier: Apache-2.0
// The PKCS#11 3.0 header, included here and nowhere else.
//
// It is the one of NSS (`pkg-config nss`; NSPR's include directory comes with it), which has the
// 3.0 function list and interfaces. NSS's header brings its own calling macros and, on the systems
// that kilt runs on, the compiler's natural packing, as [P11 3.1 §2.1] asks of Unix. Its functions
// are declared without visibility: what the module exports is marked in entry alone.
#pragma once

#include <pkcs11.h>

static_assert(CRYPTOKI_VERSION_MAJOR == 3, "a PKCS#11 3.x header is needed");
static_assert(sizeof(CK_ULONG) == sizeof(void*), "CK_ULONG has the width of a pointer on Unix");
