// Copyright: duplex.ha_pair contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package org.apache.catalina.session;

import org.apache.catalina.Context;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.Manager;
import org.apache.catalina.Session;
import org.apache.catalina.Store;

/** Declared for the compiler only, see tools/session_manager.sh. */
public abstract class PersistentManagerBase implements Manager {
  @Override
  public Session createEmptySession() {
    return null;
  }

  public void setContext(Context context) {}

  public void setStore(Store store) {}

  protected void startInternal() throws LifecycleException {}
}
