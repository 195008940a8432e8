// Copyright: duplex.ha_pair contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package javax.servlet.http;

import java.io.IOException;
import java.io.PrintWriter;

/** Declared for the compiler only, see tools/war.sh. */
public interface HttpServletResponse {
  PrintWriter getWriter() throws IOException;

  void setContentType(String type);

  void setHeader(String name, String value);

  void setStatus(int status);
}
