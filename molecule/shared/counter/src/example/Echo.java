// Copyright: duplex.ha_pair contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package example;

import java.io.IOException;
import javax.websocket.OnMessage;
import javax.websocket.server.ServerEndpoint;

/** A WebSocket that says again what it is told, and on which node. */
@ServerEndpoint("/echo")
public class Echo {
  @OnMessage
  public String echo(String text) throws IOException {
    return text + " on " + Counter.node();
  }
}
