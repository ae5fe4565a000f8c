@echo off
rem WorkDataHub from a plain checkout on Windows: needs Python 3.11 or newer and nothing else.
rem   wdh demo          any command of wdh
rem   wdh test [ARGS]   the tests, ARGS go to pytest
rem The environment lives in .venv and is renewed only when uv.lock or pyproject.toml changed.
setlocal
set "ROOT=%~dp0"
set "VENV=%ROOT%.venv"
set "TOOLS=%ROOT%.venv-uv"
set "PYTHONUTF8=1"

if not exist "%VENV%\Scripts\python.exe" goto prepare
fc /b "%ROOT%uv.lock" "%VENV%\wdh-uv.lock" >nul 2>&1 || goto prepare
fc /b "%ROOT%pyproject.toml" "%VENV%\wdh-pyproject.toml" >nul 2>&1 || goto prepare
goto start

:prepare
set "PYTHON="
for %%P in ("py -3.13" "py -3.12" "py -3.11" "python3" "python") do if not defined PYTHON (
    %%~P -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>&1 && set "PYTHON=%%~P"
)
if not defined PYTHON (
    echo wdh: Python 3.11 or newer is needed, and none was found. Install one, then start again.>&2
    exit /b 2
)
echo wdh: making .venv ready (a minute or two the first time)>&2
set "UV=uv"
uv --version >nul 2>&1 || set "UV=%TOOLS%\Scripts\uv.exe"
"%UV%" --version >nul 2>&1 || (
    echo wdh: uv is not installed; putting a private one into .venv-uv>&2
    %PYTHON% -m venv "%TOOLS%" && "%TOOLS%\Scripts\python.exe" -m pip install --quiet uv >&2 || exit /b 1
)
for /f "delims=" %%E in ('%PYTHON% -c "import sys; print(sys.executable)"') do set "PROGRAM=%%E"
set "UV_PROJECT_ENVIRONMENT=%VENV%"
set "UV_PYTHON_DOWNLOADS=never"
set "VIRTUAL_ENV="
"%UV%" sync --frozen --project "%ROOT%." --python "%PROGRAM%" >&2 || (
    echo wdh: the environment could not be made; the lines above say why.>&2
    exit /b 1
)
copy /y "%ROOT%uv.lock" "%VENV%\wdh-uv.lock" >nul
copy /y "%ROOT%pyproject.toml" "%VENV%\wdh-pyproject.toml" >nul

:start
if /i not "%~1"=="test" (
    "%VENV%\Scripts\wdh.exe" %*
    exit /b
)
cd /d "%ROOT%"
for /f "tokens=1,*" %%A in ("%*") do "%VENV%\Scripts\pytest.exe" %%B
exit /b
