// SPDX-License-Identifier: Apache-2.0
// Holds the precompiled GoogleTest that the test programs share; does nothing by itself.
int main() {
  return 0;
}
