# What is given away: `make wheel`, `make sdist`, `make dist` (a tar), `make deb`, all into $(DIST). docs/install.md.

DIST ?= $(BUILD)/dist
SMALL := $(BUILD)/package/small
GIVEN := whisp whisp-convert whisp-get whisp-server
DEPS_PACKAGE := patchelf libssl-dev dpkg-dev debhelper fakeroot lintian

.PHONY: deps-package wheel sdist dist deb
deps-package: deps-build
	@$(INSTALL_DEPS) $(DEPS_PACKAGE)

# The Python package's programs and its library, as they lie in it: whisp/bin, whisp. Without symbols and without a build
# id, which would tell the folder they were made in: the same sources give the same bytes.
IN_WHEEL := $(BUILD)/package/wheel/whisp
BARE_LINK := -s -Wl,--build-id=none
WHEEL_LINK = $(CC) $(CFLAGS) -pie $(HARDEN_LINK) $(BARE_LINK) -Wl,--as-needed $(LDFLAGS) -Wl,-rpath,'$$ORIGIN/..' -o $@ $^
$(IN_WHEEL)/libwhisp.so: $(LIB_OBJ) lib/libwhisp.map
	@mkdir -p $(@D)
	$(CC) -shared -Wl,-soname,libwhisp.so -Wl,--version-script=lib/libwhisp.map -Wl,-z,defs $(CFLAGS) $(HARDEN_LINK) \
	    $(BARE_LINK) $(LDFLAGS) -o $@ $(LIB_OBJ) $(LIB_LIBS)
$(addprefix $(IN_WHEEL)/bin/,$(GIVEN)): | $(IN_WHEEL)/bin
$(IN_WHEEL)/bin:
	@mkdir -p $@
$(IN_WHEEL)/bin/whisp: $(WHISP_OBJ) $(IN_WHEEL)/libwhisp.so
	$(WHEEL_LINK) -lm -pthread
$(IN_WHEEL)/bin/whisp-server: $(SERVER_OBJ) $(BUILD)/embedded/page.o $(IN_WHEEL)/libwhisp.so
	$(WHEEL_LINK) $(SERVER_LIBS) -lm -pthread
# These use more of the library than it shows.
$(IN_WHEEL)/bin/whisp-convert: $(CONVERT_OBJ) $(BUILD)/libwhisp.a
	$(WHEEL_LINK) $(LIB_LIBS) $(CONVERT_LIBS)
$(IN_WHEEL)/bin/whisp-get: $(GET_OBJ) $(filter-out %/main.o,$(CONVERT_OBJ)) $(BUILD)/libwhisp.a
	$(WHEEL_LINK) $(LIB_LIBS) $(GET_LIBS)
.PHONY: wheel-files
wheel-files: $(IN_WHEEL)/libwhisp.so $(addprefix $(IN_WHEEL)/bin/,$(GIVEN))

# libcurl and libmicrohttpd with what is used of them: Debian's own bring thirty more libraries.
$(SMALL)/ready: tools/package/small-libraries
	sh tools/package/small-libraries $(SMALL)

wheel: wheel-files $(SMALL)/ready
	@mkdir -p $(DIST)
	python3 tools/package/give wheel --small $(SMALL) --from $(BUILD)/package/wheel --into $(DIST)
sdist:
	@mkdir -p $(DIST)
	python3 tools/package/give sdist --into $(DIST)

# The tar is what `make install` installs, with the libraries it needs.
dist: all $(SMALL)/ready
	rm -rf $(BUILD)/package/tar
	@mkdir -p $(DIST)
	@$(MAKE) --no-print-directory PREFIX=/ DESTDIR=$(BUILD)/package/tar install >/dev/null
	python3 tools/package/give tar --small $(SMALL) --from $(BUILD)/package/tar --into $(DIST)
deb:
	@mkdir -p $(DIST)
	sh tools/package/make-deb $(BUILD)/package/deb $(DIST)
