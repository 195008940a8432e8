// Copyright: duplex.ha_pair contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package org.apache.catalina.session;

import java.io.IOException;
import java.io.InputStream;
import java.io.ObjectInputStream;
import org.apache.catalina.Manager;
import org.apache.catalina.Store;

/** Declared for the compiler only, see tools/session_manager.sh. */
public abstract class StoreBase implements Store {
  protected Manager manager;

  protected ObjectInputStream getObjectInputStream(InputStream is) throws IOException {
    return new ObjectInputStream(is);
  }
}
