// Copyright: duplex.ha_pair contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package org.apache.catalina.session;

import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import org.apache.catalina.Manager;
import org.apache.catalina.Session;

/** Declared for the compiler only, see tools/session_manager.sh. */
public class StandardSession implements Session {
  @Override
  public String getIdInternal() {
    return null;
  }

  @Override
  public void setManager(Manager manager) {}

  public void readObjectData(ObjectInputStream stream) throws ClassNotFoundException, IOException {}

  public void writeObjectData(ObjectOutputStream stream) throws IOException {}
}
